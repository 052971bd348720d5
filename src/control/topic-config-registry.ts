/**
 * The registry of topic configs, under Kafka's names: type, bounds, default, meaning, and what this
 * version does not do. A config is accepted, described and documented exactly when it stands here.
 * Where a broker setting holds the default, only its name stands here. Pure data.
 */

export type TopicConfigType = 'boolean' | 'string' | 'int' | 'long' | 'double' | 'list';

export type TopicConfigInfo = {
  readonly name: string;
  readonly type: TopicConfigType;
  /** Broker setting whose value is the default of this topic config; null when there is none. */
  readonly brokerSetting: string | null;
  /** Default where no broker setting holds it. */
  readonly fixedDefault: string | null;
  /** Inclusive bounds of numbers. */
  readonly min: number | null;
  readonly max: number | null;
  /** Accepted values (of each element, for a list); null for any. */
  readonly choices: readonly string[] | null;
  /** Said when a value that Kafka knows is refused here. */
  readonly refusal: string | null;
  readonly doc: string;
};

const INT32_MAX = 2 ** 31 - 1;

type Part = Partial<Omit<TopicConfigInfo, 'name' | 'type' | 'doc'>>;

function config(name: string, type: TopicConfigType, doc: string, part: Part): TopicConfigInfo {
  const blank = { brokerSetting: null, fixedDefault: null, choices: null, refusal: null };
  return { name, type, min: null, max: type === 'int' ? INT32_MAX : null, ...blank, ...part, doc };
}

/** A duration or size that only compaction uses: kept and described, without effect for now. */
function compaction(name: string, doc: string, part: Part): TopicConfigInfo {
  return config(name, 'long', `${doc} Without effect until compaction exists.`, part);
}

export const TOPIC_CONFIGS: readonly TopicConfigInfo[] = [
  config('cleanup.policy', 'list', 'What happens to old segments.', {
    brokerSetting: 'log.cleanup.policy',
    choices: ['delete'],
    refusal: 'log compaction is not supported yet, only cleanup.policy=delete',
  }),
  config('compression.type', 'string', 'Batches are stored as the producer compressed them.', {
    brokerSetting: 'compression.type',
    choices: ['producer'],
    refusal: 'the broker never recompresses, only compression.type=producer is supported',
  }),
  compaction('delete.retention.ms', 'How long tombstones of a compacted topic are kept.', {
    fixedDefault: '86400000',
    min: 0,
  }),
  config(
    'durability',
    'string',
    'synced: acknowledged when a majority has it on disk; cached: in its page cache.',
    {
      brokerSetting: 'durability',
      choices: ['synced', 'cached'],
    },
  ),
  config(
    'file.delete.delay.ms',
    'long',
    'Without effect: segments are unlinked at once, readers keep them open.',
    {
      fixedDefault: '60000',
      min: 0,
    },
  ),
  config('flush.messages', 'long', 'Without effect: durability says when records are on disk.', {
    fixedDefault: '9223372036854775807',
    min: 1,
  }),
  config('flush.ms', 'long', 'Without effect: durability says when records are on disk.', {
    fixedDefault: '9223372036854775807',
    min: 0,
  }),
  config(
    'index.interval.bytes',
    'int',
    'One index entry is written for about this many bytes of log.',
    {
      brokerSetting: 'log.index.interval.bytes',
      min: 0,
    },
  ),
  compaction('max.compaction.lag.ms', 'Longest time a record may stay uncompacted.', {
    fixedDefault: '9223372036854775807',
    min: 1,
  }),
  config(
    'max.message.bytes',
    'int',
    'Greatest record batch (as sent, compressed) that is accepted.',
    {
      brokerSetting: 'message.max.bytes',
      min: 0,
    },
  ),
  config(
    'message.timestamp.after.max.ms',
    'long',
    'A record with a timestamp further in the future is refused.',
    {
      brokerSetting: 'log.message.timestamp.after.max.ms',
      min: 0,
    },
  ),
  config(
    'message.timestamp.before.max.ms',
    'long',
    'A record with a timestamp further in the past is refused.',
    {
      brokerSetting: 'log.message.timestamp.before.max.ms',
      min: 0,
    },
  ),
  config(
    'message.timestamp.type',
    'string',
    "Records keep their producer's time or get the time of their append.",
    {
      brokerSetting: 'log.message.timestamp.type',
      choices: ['CreateTime', 'LogAppendTime'],
    },
  ),
  config(
    'min.cleanable.dirty.ratio',
    'double',
    'How dirty a log gets before compaction. Without effect until compaction exists.',
    {
      fixedDefault: '0.5',
      min: 0,
      max: 1,
    },
  ),
  compaction('min.compaction.lag.ms', 'Shortest time a record stays uncompacted.', {
    fixedDefault: '0',
    min: 0,
  }),
  config(
    'min.insync.replicas',
    'int',
    'Replicas in sync that acks=all asks for; a majority is needed in any case.',
    {
      brokerSetting: 'min.insync.replicas',
      min: 1,
    },
  ),
  config('preallocate', 'boolean', 'Segments are plain growing files.', {
    fixedDefault: 'false',
    choices: ['false'],
    refusal: 'segments are never preallocated, only preallocate=false is supported',
  }),
  config(
    'retention.bytes',
    'long',
    'A partition larger than this loses its oldest segments; -1 is no limit.',
    {
      brokerSetting: 'log.retention.bytes',
      min: -1,
    },
  ),
  config(
    'retention.ms',
    'long',
    'Segments whose records are all older are removed; -1 keeps them for ever.',
    {
      brokerSetting: 'log.retention.ms',
      min: -1,
    },
  ),
  config(
    'segment.bytes',
    'int',
    'A segment that would grow beyond this is closed and the next one begun.',
    {
      brokerSetting: 'log.segment.bytes',
      min: 1024,
    },
  ),
  config(
    'segment.index.bytes',
    'int',
    "Greatest size of a segment's offset index; a full one closes the segment.",
    {
      brokerSetting: 'log.index.size.max.bytes',
      min: 1024,
    },
  ),
  config('segment.jitter.ms', 'long', 'Without effect: segments roll exactly at segment.ms.', {
    fixedDefault: '0',
    min: 0,
  }),
  config(
    'segment.ms',
    'long',
    'A segment is closed when its first record is this old, even if it is small.',
    {
      brokerSetting: 'log.roll.ms',
      min: 1,
    },
  ),
  config(
    'unclean.leader.election.enable',
    'boolean',
    'Only a replica that holds every committed record may lead.',
    {
      fixedDefault: 'false',
      choices: ['false'],
      refusal: 'a leader without every committed record is never elected, only false is supported',
    },
  ),
];

const BY_NAME: ReadonlyMap<string, TopicConfigInfo> = new Map(
  TOPIC_CONFIGS.map((info) => [info.name, info]),
);

export function topicConfigByName(name: string): TopicConfigInfo | undefined {
  return BY_NAME.get(name);
}
