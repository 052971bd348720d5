/** Parameters that several routes share: their shapes, and what they mean. */
import Type from 'typebox';
import type { Offset } from '../../base/units.js';

export const TopicParams = Type.Object({ topic: Type.String({ description: 'name of a topic' }) });

export const PartitionParams = Type.Object({
  topic: Type.String({ description: 'name of a topic' }),
  partition: Type.Integer({ minimum: 0, description: 'must be the number of a partition' }),
});

export const OFFSET = Type.String({
  pattern: '^(earliest|latest|[0-9]{1,16})$',
  description: 'must be earliest, latest or an offset from 0 on',
});

/** Counts are int32 in Kafka's requests. */
export const COUNT_MAX = 2 ** 31 - 1;

/** The text has the shape of {@link OFFSET}. */
export function offsetOf(text: string): Offset | 'earliest' | 'latest' {
  return text === 'earliest' || text === 'latest' ? text : Number(text);
}
