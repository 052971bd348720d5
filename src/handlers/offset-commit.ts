/** OffsetCommit: answered when the position is committed by a quorum. */
import type { OffsetCommitRequest } from '../groups/group-types.js';
import type { offsetCommitApi } from '../protocol/messages/offset-commit.js';
import type { Handler } from './context.js';
import { codesOf, knownPartitions } from './known-partitions.js';

export const offsetCommit: Handler<typeof offsetCommitApi> = (context, request, _info, respond) => {
  const { generationIdOrMemberEpoch: generationId, topics, ...fields } = request;
  const known = knownPartitions(context, topics);
  const commit: OffsetCommitRequest = { ...fields, generationId, topics: known };
  context.callGroup('commitOffsets', request.groupId, commit, (response) => {
    const otherwise = response === null ? 'NOT_COORDINATOR' : 'UNKNOWN_TOPIC_OR_PARTITION';
    respond({ topics: codesOf(topics, response?.topics ?? [], otherwise) });
  });
};
