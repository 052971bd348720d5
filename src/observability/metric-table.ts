/**
 * Every metric that a node shows: name, type, labels, unit and meaning. Its one promise: what is
 * not here is not shown, and docs/metrics.md is made of it. A pure table, loaded by the first
 * scrape.
 */
export type MetricShape = {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly unit: 'bytes' | 'seconds' | 'records' | 'offset' | 'node id' | 'count' | '0 or 1';
  readonly help: string;
};

const TRAFFIC = {
  lograft_topic_bytes_in_total: {
    ...{ type: 'counter', labels: ['topic'], unit: 'bytes' },
    help: 'Record batches that producers appended here, as they were sent.',
  },
  lograft_topic_records_in_total: {
    ...{ type: 'counter', labels: ['topic'], unit: 'records' },
    help: 'Records that producers appended here.',
  },
  lograft_topic_bytes_out_total: {
    ...{ type: 'counter', labels: ['topic'], unit: 'bytes' },
    help: 'Record batches that this node sent to readers, as they are stored.',
  },
  lograft_topic_records_out_total: {
    ...{ type: 'counter', labels: ['topic'], unit: 'records' },
    help: 'Records in those batches, from the offset that was asked for.',
  },
} as const satisfies Record<string, MetricShape>;

const REQUESTS = {
  lograft_kafka_request_duration_seconds: {
    ...{ type: 'histogram', labels: ['api'], unit: 'seconds' },
    help: 'From the arrival of a Kafka request to its answer, with what a Fetch waits for records.',
  },
  lograft_http_request_duration_seconds: {
    ...{ type: 'histogram', labels: ['kind'], unit: 'seconds' },
    help: 'HTTP requests that a shard answers itself: a produce, a read, a whole stream.',
  },
  lograft_refused_total: {
    ...{ type: 'counter', labels: ['what'], unit: 'count' },
    help: 'Clients sent away: a connection over the bound, or one that sent a senseless request.',
  },
  lograft_connections: {
    ...{ type: 'gauge', labels: ['door', 'thread'], unit: 'count' },
    help: 'Client connections: Kafka and HTTP at the shards, other HTTP routes at the main thread.',
  },
  lograft_connections_max: {
    ...{ type: 'gauge', labels: ['door', 'thread'], unit: 'count' },
    help: "Their bound, this thread's part of max.connections.",
  },
  lograft_queue_length: {
    ...{ type: 'gauge', labels: ['queue'], unit: 'count' },
    help: 'What waits in the fullest queue of a kind.',
  },
  lograft_queue_length_max: {
    ...{ type: 'gauge', labels: ['queue'], unit: 'count' },
    help: 'The bound of a queue of the kind; what comes beyond it is refused.',
  },
} as const satisfies Record<string, MetricShape>;

const REPLICATION = {
  lograft_sync_duration_seconds: {
    ...{ type: 'histogram', labels: ['thread'], unit: 'seconds' },
    help: 'From the request to make a file durable to its end, with the wait for syncs before it.',
  },
  lograft_commit_duration_seconds: {
    ...{ type: 'histogram', labels: ['thread'], unit: 'seconds' },
    help: "From a batch's append at the leader to its commit; one batch a partition at a time.",
  },
  lograft_elections_total: {
    ...{ type: 'counter', labels: ['reason'], unit: 'count' },
    help: 'Elections of partitions that this node won, by the reason for which it stood.',
  },
  lograft_leaders: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Partitions that this node leads.',
  },
  lograft_replicas: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Replicas that this node holds.',
  },
  lograft_failed_replicas: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Replicas of this node that stopped or could not be opened.',
  },
  lograft_under_replicated_partitions: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Partitions led here with a replica that is not in sync.',
  },
  lograft_leaderless_partitions: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Partitions of the cluster without a leader, as far as this node knows.',
  },
  lograft_log_size_bytes: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: 'bytes' },
    help: 'Segments of a replica of this node; topics counted together have no partition.',
  },
} as const satisfies Record<string, MetricShape>;

const PROCESS = {
  lograft_event_loop_delay_seconds: {
    ...{ type: 'histogram', labels: ['thread'], unit: 'seconds' },
    help: "By how much the thread's ticks, twenty a second, come too late.",
  },
  lograft_event_loop_active_seconds_total: {
    ...{ type: 'counter', labels: ['thread'], unit: 'seconds' },
    help: "Time in which the thread's event loop worked; its rate is its utilization.",
  },
  lograft_gc_pauses_total: {
    ...{ type: 'counter', labels: ['thread', 'kind'], unit: 'count' },
    help: 'Garbage collections since the first scrape.',
  },
  lograft_gc_pause_seconds_total: {
    ...{ type: 'counter', labels: ['thread', 'kind'], unit: 'seconds' },
    help: 'Time that those took.',
  },
  lograft_heap_used_bytes: {
    ...{ type: 'gauge', labels: ['thread'], unit: 'bytes' },
    help: "JavaScript heap of the thread that is in use; native memory is the process's.",
  },
  lograft_info: {
    ...{ type: 'gauge', labels: ['version', 'node_version'], unit: '0 or 1' },
    help: 'Always 1: which versions run.',
  },
  lograft_metrics_left_out: {
    ...{ type: 'gauge', labels: ['what'], unit: 'count' },
    help: 'Topics and groups without metrics of their own: metrics.topics.max, metrics.groups.max.',
  },
  process_cpu_seconds_total: {
    ...{ type: 'counter', labels: [], unit: 'seconds' },
    help: 'Processor time of the whole process, all threads.',
  },
  process_resident_memory_bytes: {
    ...{ type: 'gauge', labels: [], unit: 'bytes' },
    help: 'Resident memory of the process.',
  },
  process_start_time_seconds: {
    ...{ type: 'gauge', labels: [], unit: 'seconds' },
    help: 'When the process started, since 1970.',
  },
  process_open_fds: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Open file descriptors; Linux only.',
  },
} as const satisfies Record<string, MetricShape>;

const EXPORTER = {
  kafka_brokers: {
    ...{ type: 'gauge', labels: [], unit: 'count' },
    help: 'Nodes that are members of the cluster and not fenced.',
  },
  kafka_topic_partitions: {
    ...{ type: 'gauge', labels: ['topic'], unit: 'count' },
    help: 'Partitions of a topic.',
  },
  kafka_topic_partition_current_offset: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: 'offset' },
    help: 'The high watermark of a partition led here.',
  },
  kafka_topic_partition_oldest_offset: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: 'offset' },
    help: 'The first readable offset of a partition led here.',
  },
  kafka_topic_partition_leader: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: 'node id' },
    help: 'The leader of a partition led here.',
  },
  kafka_topic_partition_replicas: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: 'count' },
    help: 'Replicas of a partition led here.',
  },
  kafka_topic_partition_in_sync_replica: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: 'count' },
    help: 'Replicas in sync of a partition led here.',
  },
  kafka_topic_partition_under_replicated_partition: {
    ...{ type: 'gauge', labels: ['topic', 'partition'], unit: '0 or 1' },
    help: '1 when a replica of a partition led here is not in sync.',
  },
  kafka_consumergroup_members: {
    ...{ type: 'gauge', labels: ['consumergroup'], unit: 'count' },
    help: 'Members of a group coordinated here.',
  },
  kafka_consumergroup_current_offset: {
    ...{ type: 'gauge', labels: ['consumergroup', 'topic', 'partition'], unit: 'offset' },
    help: 'Offset that a group coordinated here has committed.',
  },
  kafka_consumergroup_lag: {
    ...{ type: 'gauge', labels: ['consumergroup', 'topic', 'partition'], unit: 'records' },
    help: 'Records from there to the high watermark; absent while nobody says where that is.',
  },
} as const satisfies Record<string, MetricShape>;

/** The table by chapters of the documentation. */
export const METRIC_CHAPTERS = {
  Traffic: TRAFFIC,
  'Requests, connections and queues': REQUESTS,
  'Disks and replication': REPLICATION,
  'Threads and the process': PROCESS,
  'By the names of kafka_exporter': EXPORTER,
} as const;

export const METRICS = { ...TRAFFIC, ...REQUESTS, ...REPLICATION, ...PROCESS, ...EXPORTER };
export type MetricName = keyof typeof METRICS;
export type MetricNameOf<Type extends MetricShape['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];
/** Every label of a metric, and no other. */
export type MetricLabels<Name extends MetricName> = {
  readonly [Label in (typeof METRICS)[Name]['labels'][number]]: string;
};
