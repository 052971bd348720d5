/** OffsetFetch, noted: what the answer says of each partition is held against the commits. */
import { ERROR } from '#src/protocol/errors.js';
import { offsetFetchApi } from '#src/protocol/messages/offset-fetch.js';
import type { KafkaConnection } from '../../support/kafka-connection.js';
import type { History } from '../history/history.js';
import { askQuietly } from './prober.js';

const OFFSET_FETCH_VERSION = 5;

/** Partition → position, -1 for none; null without a usable answer. */
export async function fetchPositions(
  connection: KafkaConnection,
  group: string,
  topic: string,
  partitions: readonly number[],
  history: History,
): Promise<ReadonlyMap<number, number> | null> {
  const asked = partitions.map((partition) => {
    const op = history.nextOp();
    history.note({ kind: 'position-asked', op, group, partition: `${topic}:${partition}` });
    return { op, partition };
  });
  const topics = [{ name: topic, partitionIndexes: [...partitions] }];
  const body = { groupId: group, topics };
  const answer = await askQuietly(connection, offsetFetchApi, OFFSET_FETCH_VERSION, body);
  const isUsable = answer !== null && answer.errorCode === ERROR.NONE;
  const positions = new Map<number, number>();
  for (const { op, partition } of asked) {
    const found = answer?.topics[0]?.partitions.find((p) => p.partitionIndex === partition);
    if (!isUsable || found === undefined || found.errorCode !== ERROR.NONE) {
      history.note({ kind: 'position-gave-up', op });
      continue;
    }
    const { committedOffset: offset, metadata } = found;
    history.note({ kind: 'position', op, offset, token: metadata ?? '' });
    positions.set(partition, offset);
  }
  return positions.size === partitions.length ? positions : null;
}
