/**
 * The registry of broker settings: name, type, bounds, default, unit and meaning, under Kafka's own
 * names where Kafka has one. Its one promise: a setting exists for cluster.yml, `--set`, the
 * environment and DescribeConfigs exactly when it stands here, and no default is written elsewhere.
 * Pure data without a library, because every thread of every node loads it.
 */
import { LOG_LEVELS } from '../base/log-levels.js';

const INT32_MAX = 2 ** 31 - 1;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export type Unit = 'bytes' | 'ms' | 'minutes' | 'seconds' | 'count' | 'none';

type Bounds = { readonly min: number; readonly max?: number };

/** One setting as JSON schema says it; `Value` only carries the type. */
export type SettingShape<Value extends SettingValue = SettingValue> = {
  readonly type?: 'integer' | 'boolean';
  readonly enum?: readonly string[];
  readonly default: Value;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly unit: Unit;
  readonly description: string;
};

/** A whole number. `max` defaults to the greatest integer a JavaScript number holds exactly. */
function whole(unit: Unit, value: number, bounds: Bounds, doc: string): SettingShape<number> {
  const maximum = bounds.max ?? Number.MAX_SAFE_INTEGER;
  const { min: minimum } = bounds;
  return { type: 'integer', default: value, minimum, maximum, unit, description: doc };
}

function flag(value: boolean, doc: string): SettingShape<boolean> {
  return { type: 'boolean', default: value, unit: 'none', description: doc };
}

function choice<const T extends string>(
  values: readonly T[],
  value: NoInfer<T>,
  doc: string,
): SettingShape<T> {
  return { enum: values, default: value, unit: 'none', description: doc };
}

const TOPIC_SETTINGS = {
  'num.partitions': whole(
    'count',
    1,
    { min: 1, max: 10_000 },
    'Partitions of a topic that is created without a count.',
  ),
  'default.replication.factor': whole(
    'count',
    3,
    { min: 1, max: 32 },
    'Replicas of a topic that is created without a count.',
  ),
  'auto.create.topics.enable': flag(
    true,
    'Create a topic when a client asks for its metadata and it does not exist.',
  ),
  'min.insync.replicas': whole(
    'count',
    1,
    { min: 1, max: 32 },
    'Replicas in sync that acks=all asks for. Whatever stands here, it also takes a majority.',
  ),
  durability: choice(
    ['synced', 'cached'],
    'synced',
    'Acknowledged means: on the disk of a majority (synced), or in its page cache (cached).',
  ),
  'log.cleanup.policy': choice(
    ['delete'],
    'delete',
    'What happens to old segments. Compaction is not there yet.',
  ),
  'log.retention.ms': whole(
    'ms',
    7 * DAY_MS,
    { min: -1 },
    'Records older than this are removed, a whole segment at a time; -1 keeps them for ever.',
  ),
  'log.retention.bytes': whole(
    'bytes',
    -1,
    { min: -1 },
    'A partition larger than this loses its oldest segments; -1 is no limit.',
  ),
  'log.segment.bytes': whole(
    'bytes',
    GIB,
    { min: 1 * KIB, max: INT32_MAX },
    'A segment file that would grow beyond this is closed and the next one begun.',
  ),
  'log.roll.ms': whole(
    'ms',
    7 * DAY_MS,
    { min: 1 },
    'A segment is closed when its first record is this old, even if it is small.',
  ),
  'log.index.interval.bytes': whole(
    'bytes',
    4 * KIB,
    { min: 0, max: INT32_MAX },
    'One index entry is written for about this many bytes of log.',
  ),
  'log.index.size.max.bytes': whole(
    'bytes',
    10 * MIB,
    { min: 1 * KIB, max: INT32_MAX },
    "Greatest size of a segment's offset index; a full index closes the segment.",
  ),
  'message.max.bytes': whole(
    'bytes',
    MIB + 12,
    { min: 0, max: INT32_MAX },
    'Greatest record batch (as it is sent, compressed) that a topic accepts.',
  ),
  'compression.type': choice(
    ['producer'],
    'producer',
    'Batches are stored as the producer compressed them.',
  ),
  'log.message.timestamp.type': choice(
    ['CreateTime', 'LogAppendTime'],
    'CreateTime',
    'Whether a record keeps the time its producer gave it or gets the time of its append.',
  ),
  'log.message.timestamp.before.max.ms': whole(
    'ms',
    Number.MAX_SAFE_INTEGER,
    { min: 0 },
    'A record whose timestamp lies further in the past than this is refused.',
  ),
  'log.message.timestamp.after.max.ms': whole(
    'ms',
    HOUR_MS,
    { min: 0 },
    'A record whose timestamp lies further in the future than this is refused.',
  ),
};

const NODE_SETTINGS = {
  'num.shards': whole(
    'count',
    1,
    { min: 1, max: 64 },
    'Threads that own partitions and client connections on each node.',
  ),
  'log.level': choice(LOG_LEVELS, 'info', 'Least severity that a node writes to its log.'),
  'log.retention.check.interval.ms': whole(
    'ms',
    5 * 60_000,
    { min: 1 },
    'How often a node looks for segments that retention may remove.',
  ),
  'log.scrub.interval.ms': whole(
    'ms',
    DAY_MS,
    { min: -1 },
    'All logs are read once in this time to find bytes that changed; -1 reads them at start only.',
  ),
  'log.wal.file.bytes': whole(
    'bytes',
    8 * MIB,
    { min: 64 * KIB, max: GIB },
    "Size of one recycled file of a shard's write-ahead log.",
  ),
  'metadata.log.max.record.bytes.between.snapshots': whole(
    'bytes',
    20 * MIB,
    { min: 1 * KIB },
    'After so many bytes of records the metadata log is replaced by a snapshot.',
  ),
  'log.free.bytes.min': whole(
    'bytes',
    64 * MIB,
    { min: 0 },
    'Produce is refused while the disk of the data directory has less room than this.',
  ),
  'replica.lag.time.max.ms': whole(
    'ms',
    30_000,
    { min: 1 },
    "A replica that has not reached the end of its leader's log for this long is not in sync.",
  ),
  'broker.heartbeat.interval.ms': whole(
    'ms',
    500,
    { min: 10 },
    'How often a node tells the controller that it lives.',
  ),
  'broker.session.timeout.ms': whole(
    'ms',
    3_000,
    { min: 50 },
    'The controller fences a node that it has not heard of for this long.',
  ),
  'raft.heartbeat.interval.ms': whole(
    'ms',
    100,
    { min: 5, max: 60_000 },
    'How often a leader with nothing to send tells its followers that it leads.',
  ),
  'raft.election.timeout.ms': whole(
    'ms',
    600,
    { min: 20, max: 600_000 },
    'A follower that hears nothing of its leader for once to twice this stands for election.',
  ),
  'metrics.topics.max': whole(
    'count',
    1_000,
    { min: 0, max: 100_000 },
    'Topics that have metrics of their own; the rest is counted together as "other".',
  ),
  'metrics.groups.max': whole(
    'count',
    1_000,
    { min: 0, max: 100_000 },
    'Consumer groups of a shard that have metrics.',
  ),
  'auto.leader.rebalance.enable': flag(
    true,
    'Give leadership back to the first replica of a partition once it is in sync.',
  ),
  'leader.imbalance.check.interval.seconds': whole(
    'seconds',
    5,
    { min: 1 },
    'How often the controller looks for partitions whose first replica does not lead.',
  ),
};

const CLIENT_SETTINGS = {
  'socket.request.max.bytes': whole(
    'bytes',
    100 * MIB,
    { min: 1 * KIB, max: INT32_MAX },
    'A request larger than this closes its connection.',
  ),
  'socket.send.buffer.bytes': whole(
    'bytes',
    100 * KIB,
    { min: -1 },
    'What the kernel may hold of the answers of a connection: more slows readers nearby, less ' +
      'those far away; -1 leaves it to the system.',
  ),
  'socket.frame.timeout.ms': whole(
    'ms',
    60_000,
    { min: 0 },
    'A request that has begun must be complete within this time; 0 waits for ever.',
  ),
  'max.connections': whole(
    'count',
    10_000,
    { min: 1 },
    'Client connections that a node accepts at the same time.',
  ),
  'connections.max.idle.ms': whole(
    'ms',
    600_000,
    { min: 0 },
    'A client connection without a request for this long is closed; 0 keeps it.',
  ),
  'fetch.max.bytes': whole(
    'bytes',
    55 * MIB,
    { min: 1 * KIB, max: INT32_MAX },
    'Greatest answer to one fetch, whatever the client asks for.',
  ),
  'producer.id.expiration.ms': whole(
    'ms',
    DAY_MS,
    { min: 1 },
    'The state of an idempotent producer is forgotten after this long without a batch.',
  ),
};

const GROUP_SETTINGS = {
  'offsets.topic.num.partitions': whole(
    'count',
    50,
    { min: 1, max: 10_000 },
    'Partitions of __consumer_offsets; fixed once the topic exists.',
  ),
  'offsets.topic.replication.factor': whole(
    'count',
    3,
    { min: 1, max: 32 },
    'Replicas of __consumer_offsets.',
  ),
  'offsets.retention.minutes': whole(
    'minutes',
    7 * 24 * 60,
    { min: 1 },
    'Offsets of a group without members are dropped after this long.',
  ),
  'offset.metadata.max.bytes': whole(
    'bytes',
    4 * KIB,
    { min: 0, max: MIB },
    'Greatest note that a client may store beside a committed offset.',
  ),
  'group.initial.rebalance.delay.ms': whole(
    'ms',
    3_000,
    { min: 0 },
    'How long the first rebalance of an empty group waits for more members.',
  ),
  'group.min.session.timeout.ms': whole(
    'ms',
    6_000,
    { min: 1 },
    'Shortest session timeout that a group member may ask for.',
  ),
  'group.max.session.timeout.ms': whole(
    'ms',
    1_800_000,
    { min: 1 },
    'Longest session timeout that a group member may ask for.',
  ),
  'group.max.size': whole(
    'count',
    10_000,
    { min: 1, max: INT32_MAX },
    'Members that one group may have.',
  ),
};

/** Every setting by name, in the order of this file. */
export const SETTING_SHAPES = {
  ...TOPIC_SETTINGS,
  ...NODE_SETTINGS,
  ...CLIENT_SETTINGS,
  ...GROUP_SETTINGS,
};

export type SettingName = keyof typeof SETTING_SHAPES;
/** Every setting with its value, e.g. `settings['num.partitions']`. */
export type BrokerSettings = {
  -readonly [Name in SettingName]: (typeof SETTING_SHAPES)[Name]['default'];
};
export type SettingValue = number | boolean | string;

/** What DescribeConfigs, `--set` and the documentation read of one setting. */
export type SettingInfo = {
  readonly name: SettingName;
  readonly type: 'int' | 'long' | 'boolean' | 'string';
  readonly defaultValue: SettingValue;
  readonly unit: Unit;
  readonly doc: string;
  /** Values of a choice; null elsewhere. */
  readonly choices: readonly string[] | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
};

/** All settings in the order of the registry. */
export const SETTINGS: readonly SettingInfo[] = Object.entries(SETTING_SHAPES).map(
  ([name, shape]) => settingInfo(name as SettingName, shape),
);

/** A fresh copy of all defaults. */
export function defaultSettings(): BrokerSettings {
  return Object.fromEntries(SETTINGS.map((s) => [s.name, s.defaultValue])) as BrokerSettings;
}

function settingInfo(name: SettingName, shape: SettingShape): SettingInfo {
  return {
    name,
    type: kafkaType(shape),
    defaultValue: shape.default,
    unit: shape.unit,
    doc: shape.description,
    choices: shape.enum ?? null,
    minimum: shape.minimum ?? null,
    maximum: shape.maximum ?? null,
  };
}

function kafkaType(shape: SettingShape): SettingInfo['type'] {
  if (shape.enum !== undefined) return 'string';
  if (shape.type === 'boolean') return 'boolean';
  return (shape.maximum ?? 0) > INT32_MAX ? 'long' : 'int';
}
