/** SyncGroup: the leader brings the assignment, everybody gets their part. */
import { syncFailure } from '../groups/group-types.js';
import type { syncGroupApi } from '../protocol/messages/sync-group.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const syncGroup: Handler<typeof syncGroupApi> = (context, request, _info, respond) => {
  context.callGroup('sync', request.groupId, request, (response) => {
    const { error, ...synced } = response ?? syncFailure('NOT_COORDINATOR');
    respond({ ...synced, errorCode: kafkaCode(error ?? 'NONE') });
  });
};
