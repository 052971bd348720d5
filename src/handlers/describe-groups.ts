/** DescribeGroups: state, protocol and members of groups coordinated here. */
import type { DescribedGroup } from '../groups/group-types.js';
import type {
  DescribeGroupsResponse,
  describeGroupsApi,
} from '../protocol/messages/describe-groups.js';
import { OPERATIONS_UNKNOWN } from '../protocol/messages/metadata.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

type Group = DescribeGroupsResponse['groups'][number];

export const describeGroups: Handler<typeof describeGroupsApi> = (
  context,
  request,
  _info,
  respond,
) => {
  const groups = new Array<Group>(request.groups.length);
  let waiting = request.groups.length;
  if (waiting === 0) respond({ groups });
  request.groups.forEach((groupId, i) => {
    context.callGroup('describe', groupId, { groupId }, (response) => {
      groups[i] = describe(response ?? elsewhere(groupId));
      waiting--;
      if (waiting === 0) respond({ groups });
    });
  });
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
