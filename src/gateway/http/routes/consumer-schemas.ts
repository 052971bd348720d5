/** Bodies and answers of consumer instances, in the v2 shape of the known Kafka REST proxies. */
import Type from 'typebox';
import {
  HTTP_CONSUMER_BYTES_MAX,
  HTTP_CONSUMER_PARTITIONS_MAX,
  HTTP_WAIT_MS_MAX,
} from '../../../base/limits.js';

export const GroupParams = Type.Object({ group: Type.String({ description: 'the group id' }) });
export const InstanceParams = Type.Object({
  group: Type.String({ description: 'the group id' }),
  instance: Type.String({ description: 'the instance_id of the consumer' }),
});

/** Settings of known clients also come as text. */
const Flag = Type.Union([Type.Boolean(), Type.Enum(['true', 'false'])]);
const Milliseconds = Type.Union([
  Type.Integer({ minimum: 0 }),
  Type.String({ pattern: '^[0-9]{1,9}$' }),
]);

export const NewConsumer = Type.Object(
  {
    name: Type.Optional(
      Type.String({ pattern: '^[a-zA-Z0-9._-]{1,249}$', description: 'default: a new one' }),
    ),
    format: Type.Optional(Type.Enum(['json', 'binary'], { description: 'default: binary' })),
    'auto.offset.reset': Type.Optional(
      Type.Enum(['earliest', 'latest', 'none'], { description: 'default: latest' }),
    ),
    'auto.commit.enable': Type.Optional(Flag),
    'consumer.request.timeout.ms': Type.Optional(Milliseconds),
    'fetch.min.bytes': Type.Optional(Type.Unknown({ description: 'is not looked at' })),
  },
  { additionalProperties: false },
);
export const Made = Type.Object({ instance_id: Type.String(), base_uri: Type.String() });

const Topics = Type.Array(Type.String(), { maxItems: HTTP_CONSUMER_PARTITIONS_MAX });
export const Subscription = Type.Object({ topics: Topics }, { additionalProperties: false });

const topicPartition = {
  topic: Type.String(),
  partition: Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }),
};
const TopicPartition = Type.Object(topicPartition, { additionalProperties: false });
const TopicPartitionOffset = Type.Object(
  {
    ...topicPartition,
    offset: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    metadata: Type.Optional(Type.String({ description: 'is not kept' })),
  },
  { additionalProperties: false },
);
const bounded = { maxItems: HTTP_CONSUMER_PARTITIONS_MAX };

export const Partitions = Type.Object(
  { partitions: Type.Array(TopicPartition, bounded) },
  { additionalProperties: false },
);
export const Offsets = Type.Object(
  { offsets: Type.Array(TopicPartitionOffset, bounded) },
  { additionalProperties: false },
);
/** Nothing stands for everything. */
export const MaybeOffsets = Type.Partial(Offsets);
export const MaybePartitions = Type.Partial(Partitions);

export const Committed = Type.Object({
  offsets: Type.Array(
    Type.Object({ ...topicPartition, offset: Type.Integer(), metadata: Type.String() }),
  ),
});

export const RecordsQuery = Type.Object(
  {
    timeout: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: HTTP_WAIT_MS_MAX,
        description: `must be milliseconds from 0 to ${HTTP_WAIT_MS_MAX}`,
      }),
    ),
    max_bytes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: HTTP_CONSUMER_BYTES_MAX,
        description: `must be bytes from 1 to ${HTTP_CONSUMER_BYTES_MAX}`,
      }),
    ),
  },
  { additionalProperties: false },
);
export const ConsumedRecords = Type.Array(
  Type.Object({
    topic: Type.String(),
    key: Type.Unknown({ description: 'JSON, or bytes as base64; null' }),
    value: Type.Unknown(),
    partition: Type.Integer(),
    offset: Type.Integer(),
  }),
);
