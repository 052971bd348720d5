/** OffsetCommit: answered when the position is committed by a quorum. */
import type {
  OffsetCommitRequest as GroupCommit,
  OffsetCommitResponse as GroupCommitted,
} from '../groups/group-types.js';
import type {
  OffsetCommitRequest,
  OffsetCommitResponse,
  offsetCommitApi,
} from '../protocol/messages/offset-commit.js';
import type { Handler, HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';

type Topic = OffsetCommitRequest['topics'][number];
type TopicResult = OffsetCommitResponse['topics'][number];

export const offsetCommit: Handler<typeof offsetCommitApi> = (context, request, _info, respond) => {
  const { generationIdOrMemberEpoch: generationId, topics, ...fields } = request;
  const known = topics.map((topic) => withKnown(context, topic)).filter(hasPartitions);
  const commit: GroupCommit = { ...fields, generationId, topics: known };
  context.callGroup('commitOffsets', request.groupId, commit, (response) => {
    const codes = codesOf(response);
    respond({ topics: topics.map((topic) => describe(topic, response === null, codes)) });
  });
};

/** Positions of topics that do not exist are refused without bothering the coordinator. */
function withKnown(context: HandlerContext, topic: Topic): Topic {
  const known = context.image().topics.get(topic.name);
  const exists = (index: number): boolean => known?.partitions[index] !== undefined;
  return { ...topic, partitions: topic.partitions.filter((p) => exists(p.partitionIndex)) };
}

function hasPartitions({ partitions }: Topic): boolean {
  return partitions.length > 0;
}

function codesOf(response: GroupCommitted | null): ReadonlyMap<string, number> {
  const codes = new Map<string, number>();
  for (const { name, partitions } of response?.topics ?? []) {
    for (const { partitionIndex, error } of partitions) {
      codes.set(`${name}/${partitionIndex}`, kafkaCode(error ?? 'NONE'));
    }
  }
  return codes;
}

function describe(
  { name, partitions }: Topic,
  isElsewhere: boolean,
  codes: ReadonlyMap<string, number>,
): TopicResult {
  const otherwise = kafkaCode(isElsewhere ? 'NOT_COORDINATOR' : 'UNKNOWN_TOPIC_OR_PARTITION');
  return {
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: codes.get(`${name}/${partitionIndex}`) ?? otherwise,
    })),
  };
}
