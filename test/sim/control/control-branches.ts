/**
 * What a run of the control profile's fixed seeds must have met, each at least once. Names are
 * those of the counters.
 */

/** Faults that really happened. */
export const CONTROL_FAULTS: readonly string[] = [
  'kill',
  'killed-in-write',
  'power',
  'clean-restart',
  'pause',
  'slow-writes',
  'cut',
  'cut-one-way',
  'cut-message',
  'isolate',
  'bridge',
  'slow-net',
  'slow-disk',
  'slow-clock',
  'full-disk',
  'failing-disk',
  'unreadable-disk',
  'wipe',
  'transfer',
  'ended-by-disk',
  'rot-snapshot',
  'refused-message',
];

/** Ways through the code. */
export const CONTROL_BRANCHES: readonly string[] = [
  'writes-behind',
  'sent-from-memory',
  // The controller
  'first-controller',
  'controller-changed',
  'request-forwarded',
  'outcome-unknown TIMED_OUT',
  'outcome-unknown died',
  'controller-again',
  'metadata log refused a batch',
  'snapshot-read',
  'snapshot-installed',
  'metadata snapshot is damaged, moved aside',
  // Brokers
  'broker is fenced',
  'broker is live',
  'wiped',
  'minority-healed-later',
  'shards-changed',
  'tombstones-kept',
  // Topics
  'createTopics done',
  'made-again',
  'made-again-while-down',
  'createTopics TOPIC_ALREADY_EXISTS',
  'createTopics INVALID_REPLICATION_FACTOR',
  'deleteTopics done',
  'deleteTopics UNKNOWN_TOPIC_OR_PARTITION',
  'createPartitions done',
  'alterConfigs done',
  'allocateProducerIds done',
  'settled true',
  'settled false',
  // Replicas
  'replica of a deleted topic removed',
  'replica cannot be opened',
  'replica-ended-by-disk',
  'produce acked',
  'produce unanswered',
];
