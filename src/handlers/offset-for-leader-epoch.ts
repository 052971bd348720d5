/** OffsetForLeaderEpoch (KIP-320): where an epoch ends in this leader's log. */
import type {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
  offsetForLeaderEpochApi,
} from '../protocol/messages/offset-for-leader-epoch.js';
import type { Handler, HandlerContext } from './context.js';
import { codeOf, kafkaCode } from './error-code.js';
import { gatherPartitions } from './gather.js';
import { unknownPartition } from './unknown-partition.js';

type Asked = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number];
type Answered = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number];

export const offsetForLeaderEpoch: Handler<typeof offsetForLeaderEpochApi> = (
  context,
  request,
  _info,
  respond,
) => {
  gatherPartitions<Asked, Answered>(
    request.topics.map(({ topic, partitions }) => ({ name: topic, partitions })),
    (name, asked, done) => askOne(context, name, asked, done),
    (topics) => {
      respond({ topics: topics.map(({ name, partitions }) => ({ topic: name, partitions })) });
    },
  );
};

function askOne(
  context: HandlerContext,
  name: string,
  { partition, leaderEpoch, currentLeaderEpoch }: Asked,
  done: (answer: Answered) => void,
): void {
  const topic = context.image().topics.get(name);
  if (topic?.partitions[partition] === undefined) {
    const errorCode = codeOf(unknownPartition(context));
    done({ partition, errorCode, leaderEpoch: -1, endOffset: -1 });
    return;
  }
  context
    .partition({ topicId: topic.topicId, partition })
    .epochEnd(leaderEpoch, currentLeaderEpoch, (answer) => {
      const errorCode = answer.error === null ? kafkaCode('NONE') : codeOf(answer.error);
      done({ partition, errorCode, leaderEpoch: answer.leaderEpoch, endOffset: answer.endOffset });
    });
}
