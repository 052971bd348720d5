// Apache Kafka's own Java client as a program with a few verbs; java.test.ts drives it. Compiled
// when the test runs, against the client jar that .ci/run fetches. Output: one line per fact.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.WakeupException;

public final class Conformance {
  private static final String STRING = "org.apache.kafka.common.serialization.String";

  public static void main(String[] args) throws Exception {
    String bootstrap = args[1];
    switch (args[0]) {
      case "feed" -> feed(bootstrap);
      case "bulk" -> bulk(bootstrap, args[2], Integer.parseInt(args[3]), args[4]);
      case "read" -> read(bootstrap, args[2], Integer.parseInt(args[3]));
      case "member" -> member(bootstrap, args[2], args[3]);
      case "admin" -> admin(bootstrap, args[2]);
      case "groups" -> groups(bootstrap, args[2], args[3]);
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  /** Lines `topic partition value` in, `sent value` out once acknowledged. */
  private static void feed(String bootstrap) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    try (KafkaProducer<String, String> producer = producer(bootstrap, "none")) {
      System.out.println("ready");
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] word = line.split(" ");
        int partition = Integer.parseInt(word[1]);
        producer.send(
            new ProducerRecord<>(word[0], partition, null, word[2]),
            (metadata, error) ->
                System.out.println(error == null ? "sent " + word[2] : "failed " + error));
      }
    }
  }

  /** Many records with a key, a default (so idempotent) producer, one codec. */
  private static void bulk(String bootstrap, String topic, int count, String codec) {
    List<String> failures = new ArrayList<>();
    try (KafkaProducer<String, String> producer = producer(bootstrap, codec)) {
      for (int i = 0; i < count; i++) {
        producer.send(
            new ProducerRecord<>(topic, "key-" + i % 13, "value-" + i),
            (metadata, error) -> {
              if (error != null) failures.add(error.toString());
            });
      }
      producer.flush();
    }
    System.out.println(failures.isEmpty() ? "acked " + count : "failed " + failures);
  }

  private static KafkaProducer<String, String> producer(String bootstrap, String codec) {
    Properties p = new Properties();
    p.put("bootstrap.servers", bootstrap);
    p.put("key.serializer", STRING + "Serializer");
    p.put("value.serializer", STRING + "Serializer");
    p.put("compression.type", codec);
    return new KafkaProducer<>(p);
  }

  private static KafkaConsumer<String, String> consumer(String bootstrap, String group) {
    Properties p = new Properties();
    p.put("bootstrap.servers", bootstrap);
    p.put("key.deserializer", STRING + "Deserializer");
    p.put("value.deserializer", STRING + "Deserializer");
    p.put("auto.offset.reset", "earliest");
    p.put("session.timeout.ms", "6000");
    p.put("heartbeat.interval.ms", "500");
    p.put("auto.commit.interval.ms", "200");
    if (group == null) p.put("enable.auto.commit", "false");
    else p.put("group.id", group);
    return new KafkaConsumer<>(p);
  }

  /** All partitions by assignment, `partition offset value` a record, then where they end. */
  private static void read(String bootstrap, String topic, int count) {
    try (KafkaConsumer<String, String> consumer = consumer(bootstrap, null)) {
      List<TopicPartition> all =
          consumer.partitionsFor(topic).stream()
              .map(info -> new TopicPartition(topic, info.partition()))
              .toList();
      consumer.assign(all);
      consumer.seekToBeginning(all);
      long end = System.nanoTime() + 30_000_000_000L;
      for (int found = 0; found < count && System.nanoTime() < end; ) {
        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
          System.out.println(r.partition() + " " + r.offset() + " " + r.value());
          found++;
        }
      }
      consumer
          .endOffsets(all)
          .forEach((tp, offset) -> System.out.println("end " + tp.partition() + " " + offset));
    }
  }

  private static void member(String bootstrap, String topic, String group) throws Exception {
    KafkaConsumer<String, String> consumer = consumer(bootstrap, group);
    AtomicBoolean closed = new AtomicBoolean();
    Thread main = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  consumer.wakeup();
                  try {
                    if (!closed.get()) main.join(5_000);
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                }));
    try (consumer) {
      consumer.subscribe(List.of(topic));
      while (true) {
        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
          System.out.println(r.partition() + " " + r.offset() + " " + r.value());
        }
      }
    } catch (WakeupException e) {
      System.out.println("closing");
    } finally {
      closed.set(true);
    }
  }

  /** Positions of a group without members: set, one of them deleted, then the group. */
  private static void groups(String bootstrap, String topic, String group) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", (Object) bootstrap))) {
      TopicPartition first = new TopicPartition(topic, 0);
      TopicPartition second = new TopicPartition(topic, 1);
      var wanted = Map.of(first, new OffsetAndMetadata(0), second, new OffsetAndMetadata(0));
      admin.alterConsumerGroupOffsets(group, wanted).all().get();
      System.out.println("positions " + positions(admin, group));
      admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get();
      System.out.println("positions " + positions(admin, group));
      admin.deleteConsumerGroups(List.of(group)).all().get();
      System.out.println("positions " + positions(admin, group));
      try {
        admin.deleteConsumerGroups(List.of(group)).all().get();
      } catch (ExecutionException e) {
        System.out.println(e.getCause().getClass().getSimpleName());
      }
    }
  }

  private static List<String> positions(Admin admin, String group) throws Exception {
    var found = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    return found.keySet().stream().map(TopicPartition::toString).sorted().toList();
  }

  private static void admin(String bootstrap, String topic) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", (Object) bootstrap))) {
      NewTopic wanted = new NewTopic(topic, 2, (short) 3);
      wanted.configs(Map.of("retention.ms", "3600000"));
      admin.createTopics(List.of(wanted)).all().get();
      System.out.println("listed " + admin.listTopics().names().get().contains(topic));
      admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
      var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
      System.out.println("partitions " + described.partitions().size());
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      var configs = admin.describeConfigs(List.of(resource)).all().get().get(resource);
      System.out.println("retention " + configs.get("retention.ms").value());
      var end = admin.listOffsets(Map.of(new TopicPartition(topic, 0), OffsetSpec.latest()));
      System.out.println("end " + end.all().get().values().iterator().next().offset());
      var cluster = admin.describeCluster();
      System.out.println("nodes " + cluster.nodes().get().size());
      System.out.println("controller " + (cluster.controller().get() != null));
      admin.deleteTopics(List.of(topic)).all().get();
      System.out.println("deleted");
    }
  }
}
