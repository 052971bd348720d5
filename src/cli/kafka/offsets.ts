/** Offsets by name or time: ListOffsets, asked of each partition's leader, through failovers. */
import { ERROR } from '../../protocol/errors.js';
import {
  listOffsetsApi,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_LATEST,
} from '../../protocol/messages/list-offsets.js';
import { type KafkaClient, retrying } from './client.js';
import { throwIfError } from './errors.js';

export type OffsetBound = 'earliest' | 'latest';

/** First offset (`earliest`), high watermark (`latest`), or first offset at or after a time. */
export async function listOffsets(
  client: KafkaClient,
  topic: string,
  partitions: readonly number[],
  at: OffsetBound | number,
  deadline: number,
): Promise<Map<number, number>> {
  const timestamp = typeof at === 'number' ? at : BOUNDS[at];
  const entries = partitions.map(async (partition) => {
    const offset = await retrying(deadline, async (number) => {
      if (number > 0) await client.refresh([topic]);
      return listOne(client, topic, partition, timestamp);
    });
    return [partition, offset] as const;
  });
  const found = new Map(await Promise.all(entries));
  if (typeof at !== 'number') return found;
  // No record is that young: reading goes on at the end.
  const late = [...found].filter(([, offset]) => offset < 0).map(([partition]) => partition);
  if (late.length === 0) return found;
  return new Map([...found, ...(await listOffsets(client, topic, late, 'latest', deadline))]);
}

const BOUNDS = { earliest: TIMESTAMP_EARLIEST, latest: TIMESTAMP_LATEST } as const;

async function listOne(
  client: KafkaClient,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  const request = {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  };
  const body = await client.toLeader(topic, partition, (c) => c.request(listOffsetsApi, request));
  const answer = body.topics[0]?.partitions[0];
  throwIfError(answer?.errorCode ?? ERROR.UNKNOWN_SERVER_ERROR, `${topic}-${partition}`);
  return answer?.offset ?? -1;
}
