/** Which compression codecs the batches of a topic were stored with, as a broker serves them. */
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { BATCH_HEADER_BYTES, CODEC_MASK, readBatchHeader } from '#src/records/batch.js';
import { KafkaClient } from './kafka-client.js';

const NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const FETCH_VERSION = 11;
const FETCH_BYTES = 1 << 22;

/** Distinct codec names, over all partitions of the topic. */
export async function storedCodecs(bootstrap: readonly string[], topic: string): Promise<string[]> {
  const client = new KafkaClient(bootstrap, [topic], 'codecs');
  const found = new Set<string>();
  try {
    await client.refresh();
    for (const key of client.partitions) {
      const partition = Number(key.slice(key.lastIndexOf(':') + 1));
      for (const codec of await codecsOf(client, topic, partition)) found.add(codec);
    }
  } finally {
    await client.close();
  }
  return [...found].sort();
}

async function codecsOf(client: KafkaClient, topic: string, partition: number): Promise<string[]> {
  const leader = client.leaderOf(topic, partition);
  if (leader === null) throw new Error(`no leader of ${topic}:${partition}`);
  const connection = await client.connectionTo(leader.nodeId);
  const partitions = [{ partition, fetchOffset: 0, partitionMaxBytes: FETCH_BYTES }];
  const body = {
    ...{ maxWaitMs: 100, minBytes: 0, maxBytes: FETCH_BYTES },
    topics: [{ topic, partitions }],
  };
  const answer = await connection.request(fetchApi, FETCH_VERSION, body);
  const records = answer.responses[0]?.partitions[0]?.records;
  if (records === null || records === undefined) return [];
  const codecs: string[] = [];
  const end = records.start + records.length;
  for (let at = records.start; end - at >= BATCH_HEADER_BYTES; ) {
    const { attributes, sizeBytes } = readBatchHeader(records.bytes, at);
    codecs.push(NAMES[attributes & CODEC_MASK] ?? 'unknown');
    at += sizeBytes;
  }
  return codecs;
}
