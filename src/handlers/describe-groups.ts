/** DescribeGroups: state, protocol and members of groups coordinated here. */
import type { DescribedGroup } from '../groups/group-types.js';
import type {
  DescribeGroupsResponse,
  describeGroupsApi,
} from '../protocol/messages/describe-groups.js';
import { OPERATIONS_UNKNOWN } from '../protocol/messages/metadata.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';
import { gather } from './gather.js';

type Group = DescribeGroupsResponse['groups'][number];

export const describeGroups: Handler<typeof describeGroupsApi> = (
  context,
  request,
  _info,
  respond,
) => {
  gather<string, Group>(
    request.groups,
    (groupId, done) =>
      context.callGroup('describe', groupId, { groupId }, (response) =>
        done(describe(response ?? elsewhere(groupId))),
      ),
    (groups) => respond({ groups }),
  );
};

function describe({ error, ...group }: DescribedGroup): Group {
  return { ...group, errorCode: kafkaCode(error ?? 'NONE') };
}

function elsewhere(groupId: string): DescribedGroup {
  return {
    error: 'NOT_COORDINATOR',
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: OPERATIONS_UNKNOWN,
  };
}
