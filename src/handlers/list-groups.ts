/** ListGroups: the groups whose coordinator this broker is. */
import type { listGroupsApi } from '../protocol/messages/list-groups.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const listGroups: Handler<typeof listGroupsApi> = (context, request, _info, respond) => {
  context.listGroups(request, ({ error, groups }) => {
    respond({ errorCode: kafkaCode(error ?? 'NONE'), groups });
  });
};
