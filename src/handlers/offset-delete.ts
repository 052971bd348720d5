/**
 * OffsetDelete: a group forgets its positions in topics that none of its members reads. Answered
 * when a quorum has that.
 */
import type { OffsetDeleteResponse } from '../groups/group-types.js';
import type { offsetDeleteApi } from '../protocol/messages/offset-delete.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';
import { codesOf, knownPartitions } from './known-partitions.js';

const ELSEWHERE: OffsetDeleteResponse = { error: 'NOT_COORDINATOR', topics: [] };

export const offsetDelete: Handler<typeof offsetDeleteApi> = (context, request, _info, respond) => {
  const { groupId, topics } = request;
  const known = knownPartitions(context, topics);
  const answer = ({ error, topics: deleted }: OffsetDeleteResponse): void => {
    const isDone = error === null;
    respond({
      errorCode: kafkaCode(error ?? 'NONE'),
      topics: isDone ? codesOf(topics, deleted, 'UNKNOWN_TOPIC_OR_PARTITION') : [],
    });
  };
  if (known.length === 0) {
    answer({ error: null, topics: [] });
    return;
  }
  context.callGroup('deleteOffsets', groupId, { groupId, topics: known }, (response) =>
    answer(response ?? ELSEWHERE),
  );
};
