// Apache Kafka's own producer with its default settings (idempotent, acks=all, five in flight):
// lines `partition value` in, and out `acked value offset` or `failed value reason`. Arguments:
// bootstrap, topic. Compiled when the run starts.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

public final class ChaosProducer {
  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[0]);
    p.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    p.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(p)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] word = line.split(" ");
        producer.send(
            new ProducerRecord<>(args[1], Integer.parseInt(word[0]), null, word[1]),
            (metadata, error) ->
                System.out.println(
                    error == null
                        ? "acked " + word[1] + " " + metadata.offset()
                        : "failed " + word[1] + " " + error));
      }
    }
  }
}
