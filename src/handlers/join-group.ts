/** JoinGroup: enters a classic consumer group; answered when the rebalance has gathered all. */
import { joinFailure } from '../groups/group-types.js';
import type { joinGroupApi } from '../protocol/messages/join-group.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const joinGroup: Handler<typeof joinGroupApi> = (context, request, info, respond) => {
  const { groupId, sessionTimeoutMs, memberId, groupInstanceId, protocolType, protocols } = request;
  const join = {
    groupId,
    sessionTimeoutMs,
    rebalanceTimeoutMs:
      request.rebalanceTimeoutMs < 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs,
    memberId,
    groupInstanceId,
    protocolType,
    protocols,
    // KIP-394; a static member is known by its instance id.
    requireKnownMemberId: info.apiVersion >= 4 && groupInstanceId === null,
    supportSkippingAssignment: info.apiVersion >= 9,
    clientId: info.clientId ?? '',
    clientHost: info.clientHost,
  };
  context.callGroup('join', groupId, join, (response) => {
    const { error, protocolName, ...joined } = response ?? joinFailure('NOT_COORDINATOR', memberId);
    respond({
      ...joined,
      errorCode: kafkaCode(error ?? 'NONE'),
      // Null is only known from version 7 on.
      protocolName: protocolName ?? (info.apiVersion >= 7 ? null : ''),
    });
  });
};
