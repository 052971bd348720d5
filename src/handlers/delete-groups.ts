/** DeleteGroups: empty groups go with their offsets; answered when a quorum has that. */
import type { DeleteGroupsResponse, deleteGroupsApi } from '../protocol/messages/delete-groups.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';
import { gather } from './gather.js';

type Result = DeleteGroupsResponse['results'][number];

export const deleteGroups: Handler<typeof deleteGroupsApi> = (
  context,
  { groupsNames },
  _info,
  respond,
) => {
  gather<string, Result>(
    // Who names a group twice wants it deleted once.
    [...new Set(groupsNames)],
    (groupId, done) =>
      context.callGroup('deleteGroup', groupId, { groupId }, (response) => {
        const error = response === null ? 'NOT_COORDINATOR' : response.error;
        done({ groupId, errorCode: kafkaCode(error ?? 'NONE') });
      }),
    (results) => respond({ results }),
  );
};
