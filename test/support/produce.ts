/** One produce request of one batch, and its answer as it came. */
import { produceApi } from '#src/protocol/messages/produce.js';
import type { KafkaConnection } from './kafka-connection.js';

const PRODUCE_VERSION = 9;

export type ProduceCall = {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
  readonly acks: -1 | 0 | 1;
  /** How long the broker may wait for the replicas. */
  readonly timeoutMs: number;
};

export type ProduceAnswer = {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly errorMessage: string | null;
};

/** Throws ConnectionLost when the answer has not come after `answerMs`. */
export async function produceBytes(
  connection: KafkaConnection,
  { topic, partition, bytes, acks, timeoutMs }: ProduceCall,
  answerMs = timeoutMs + 8_000,
): Promise<ProduceAnswer> {
  const records = { bytes, start: 0, length: bytes.length };
  const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
  const body = { acks, timeoutMs, topicData };
  const response = await connection.request(produceApi, PRODUCE_VERSION, body, answerMs);
  const answer = response.responses[0]?.partitionResponses[0];
  if (answer === undefined) throw new Error(`an answer without ${topic}:${partition}`);
  return answer;
}
