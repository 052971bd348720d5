/**
 * The settings of a topic that its log obeys, from Kafka's own names. Bounds are checked where a
 * topic is created; here unknown names are ignored and absent ones take Kafka's defaults.
 */

export type LogConfig = {
  /** segment.bytes: a segment is closed before it would grow beyond this. int32. */
  readonly segmentBytes: number;
  /** segment.ms: a segment whose first batch is older than this is closed by the next append. */
  readonly segmentMs: number;
  /** segment.index.bytes: a segment is closed when an index would grow beyond this. */
  readonly indexBytesMax: number;
  /** index.interval.bytes: log bytes between two index entries. */
  readonly indexIntervalBytes: number;
  /** retention.bytes: -1 for no bound. */
  readonly retentionBytes: number;
  /** retention.ms: -1 for no bound. */
  readonly retentionMs: number;
  /** synced: on disk before it counts. cached: in the page cache before it counts. */
  readonly durability: 'synced' | 'cached';
};

export const DEFAULT_LOG_CONFIG: LogConfig = Object.freeze({
  segmentBytes: 1_073_741_824,
  segmentMs: 604_800_000,
  indexBytesMax: 10_485_760,
  indexIntervalBytes: 4_096,
  retentionBytes: -1,
  retentionMs: 604_800_000,
  durability: 'synced',
});

/**
 * The configuration of a topic's log. Topics whose name starts with "__" hold the cluster's own
 * words: always synced, never shortened by time or size.
 */
export function logConfigOf(
  topic: string,
  configs: Readonly<Record<string, string>>,
  defaults: LogConfig = DEFAULT_LOG_CONFIG,
): LogConfig {
  const isInternal = topic.startsWith('__');
  return {
    segmentBytes: numberOf(configs['segment.bytes'], defaults.segmentBytes),
    segmentMs: numberOf(configs['segment.ms'], defaults.segmentMs),
    indexBytesMax: numberOf(configs['segment.index.bytes'], defaults.indexBytesMax),
    indexIntervalBytes: numberOf(configs['index.interval.bytes'], defaults.indexIntervalBytes),
    retentionBytes: isInternal ? -1 : numberOf(configs['retention.bytes'], defaults.retentionBytes),
    retentionMs: isInternal ? -1 : numberOf(configs['retention.ms'], defaults.retentionMs),
    durability: isInternal ? 'synced' : durabilityOf(configs['durability'], defaults.durability),
  };
}

function numberOf(text: string | undefined, otherwise: number): number {
  if (text === undefined || text.trim() === '') return otherwise;
  const value = Number(text);
  // Kafka's Long.MAX_VALUE means "never" and is beyond 2^53; rounding it does no harm.
  return Number.isFinite(value) ? value : otherwise;
}

function durabilityOf(text: string | undefined, otherwise: LogConfig['durability']) {
  return text === 'synced' || text === 'cached' ? text : otherwise;
}
