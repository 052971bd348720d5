/** LeaveGroup: one member up to version 2, several at once from version 3 on (KIP-345). */
import type { LeaveResponse } from '../groups/group-types.js';
import type { leaveGroupApi } from '../protocol/messages/leave-group.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

const NOT_COORDINATOR: LeaveResponse = { error: 'NOT_COORDINATOR', members: [] };

export const leaveGroup: Handler<typeof leaveGroupApi> = (context, request, info, respond) => {
  const { groupId, memberId } = request;
  const isBatch = info.apiVersion >= 3;
  const members = isBatch ? request.members : [{ memberId, groupInstanceId: null }];
  context.callGroup('leave', groupId, { groupId, members }, (response) => {
    const { error, members: left } = response ?? NOT_COORDINATOR;
    const only = isBatch ? null : (left[0]?.error ?? null);
    respond({
      errorCode: kafkaCode(error ?? only ?? 'NONE'),
      members: left.map(({ error: memberError, ...member }) => ({
        ...member,
        errorCode: kafkaCode(memberError ?? 'NONE'),
      })),
    });
  });
};
