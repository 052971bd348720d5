/** Heartbeat: a member lives; the answer tells it when it has to join again. */
import type { heartbeatApi } from '../protocol/messages/heartbeat.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const heartbeat: Handler<typeof heartbeatApi> = (context, request, _info, respond) => {
  context.callGroup('heartbeat', request.groupId, request, (response) => {
    const error = response === null ? 'NOT_COORDINATOR' : response.error;
    respond({ errorCode: kafkaCode(error ?? 'NONE') });
  });
};
