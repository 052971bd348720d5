/** ListOffsets: earliest, latest (a quorum confirms after the request), by time, newest time. */
import type { OffsetAnswer, OffsetQuestion } from '../partition/access.js';
import {
  type ListOffsetsRequest,
  type ListOffsetsResponse,
  type listOffsetsApi,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_LATEST,
  TIMESTAMP_MAX,
} from '../protocol/messages/list-offsets.js';
import type { Handler, HandlerContext } from './context.js';
import { codeOf, kafkaCode } from './error-code.js';
import { gatherPartitions } from './gather.js';
import { unknownPartition } from './unknown-partition.js';

type Asked = ListOffsetsRequest['topics'][number]['partitions'][number];
type Answered = ListOffsetsResponse['topics'][number]['partitions'][number];

export const listOffsets: Handler<typeof listOffsetsApi> = (context, request, _info, respond) => {
  gatherPartitions<Asked, Answered>(
    request.topics,
    (name, asked, done) => askOne(context, name, asked, done),
    (topics) => respond({ topics }),
  );
};

function askOne(
  context: HandlerContext,
  name: string,
  asked: Asked,
  done: (answer: Answered) => void,
): void {
  const { partitionIndex } = asked;
  const topic = context.image().topics.get(name);
  if (topic?.partitions[partitionIndex] === undefined) {
    done({ partitionIndex, errorCode: codeOf(unknownPartition(context)) });
    return;
  }
  const question = questionOf(asked.timestamp);
  if (question === null) {
    done({ partitionIndex, errorCode: kafkaCode('UNSUPPORTED_VERSION') });
    return;
  }
  context
    .partition({ topicId: topic.topicId, partition: partitionIndex })
    .offsetFor(question, asked.currentLeaderEpoch, (answer) => {
      done(describe(partitionIndex, answer));
    });
}

/** Null for special timestamps of later versions (tiered storage). */
function questionOf(timestamp: number): OffsetQuestion | null {
  if (timestamp >= 0) return { kind: 'timestamp', timestampMs: timestamp };
  if (timestamp === TIMESTAMP_LATEST) return { kind: 'latest' };
  if (timestamp === TIMESTAMP_EARLIEST) return { kind: 'earliest' };
  return timestamp === TIMESTAMP_MAX ? { kind: 'max-timestamp' } : null;
}

function describe(partitionIndex: number, answer: OffsetAnswer): Answered {
  return {
    partitionIndex,
    errorCode: answer.error === null ? kafkaCode('NONE') : codeOf(answer.error),
    timestamp: answer.timestampMs,
    offset: answer.offset,
    leaderEpoch: answer.leaderEpoch,
  };
}
