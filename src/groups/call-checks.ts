/**
 * By which checks a coordinator believes a call that came from another node, and a node the answer
 * to its own. Shapes only: what is in them is judged where clients' requests are. Pure.
 */
import {
  type Check,
  isBytes,
  isCount,
  isFlag,
  isInteger,
  isText,
  listOf,
  orNull,
  shape,
} from '../base/checks.js';

const error = orNull(isText);
const text = orNull(isText);
const member = shape({ memberId: isText, groupInstanceId: text });
const generation = { groupId: isText, generationId: isInteger, memberId: isText };

const REQUESTS: Readonly<Record<string, Check>> = {
  join: shape({
    groupId: isText,
    sessionTimeoutMs: isCount,
    rebalanceTimeoutMs: isCount,
    memberId: isText,
    groupInstanceId: text,
    protocolType: isText,
    protocols: listOf(shape({ name: isText, metadata: isBytes })),
    requireKnownMemberId: isFlag,
    supportSkippingAssignment: isFlag,
    clientId: isText,
    clientHost: isText,
  }),
  sync: shape({
    ...generation,
    groupInstanceId: text,
    protocolType: text,
    protocolName: text,
    assignments: listOf(shape({ memberId: isText, assignment: isBytes })),
  }),
  heartbeat: shape({ ...generation, groupInstanceId: text }),
  leave: shape({ groupId: isText, members: listOf(member) }),
  commitOffsets: shape({
    ...generation,
    groupInstanceId: text,
    retentionTimeMs: isInteger,
    topics: listOf(
      shape({
        name: isText,
        partitions: listOf(
          shape({
            partitionIndex: isCount,
            committedOffset: isInteger,
            committedLeaderEpoch: isInteger,
            committedMetadata: text,
          }),
        ),
      }),
    ),
  }),
  fetchOffsets: shape({
    groupId: isText,
    topics: orNull(listOf(shape({ name: isText, partitionIndexes: listOf(isCount) }))),
  }),
  deleteOffsets: shape({
    groupId: isText,
    topics: listOf(shape({ name: isText, partitions: listOf(shape({ partitionIndex: isCount })) })),
  }),
  describe: shape({ groupId: isText }),
  deleteGroup: shape({ groupId: isText }),
  list: shape({ statesFilter: listOf(isText) }),
};

const partitionErrors = listOf(
  shape({ name: isText, partitions: listOf(shape({ partitionIndex: isCount, error })) }),
);

const RESPONSES: Readonly<Record<string, Check>> = {
  join: shape({
    error,
    generationId: isInteger,
    protocolType: text,
    protocolName: text,
    leader: isText,
    memberId: isText,
    members: listOf(shape({ memberId: isText, groupInstanceId: text, metadata: isBytes })),
  }),
  sync: shape({ error, protocolType: text, protocolName: text, assignment: isBytes }),
  heartbeat: shape({ error }),
  leave: shape({ error, members: listOf(shape({ memberId: isText, error })) }),
  commitOffsets: shape({ topics: partitionErrors }),
  deleteOffsets: shape({ error, topics: partitionErrors }),
  deleteGroup: shape({ error }),
  fetchOffsets: shape({
    groupId: isText,
    error,
    topics: listOf(
      shape({
        name: isText,
        partitions: listOf(
          shape({
            partitionIndex: isCount,
            committedOffset: isInteger,
            committedLeaderEpoch: isInteger,
            metadata: isText,
            error,
          }),
        ),
      }),
    ),
  }),
  describe: shape({
    error,
    groupId: isText,
    groupState: isText,
    protocolType: isText,
    protocolData: isText,
    members: listOf(
      shape({
        memberId: isText,
        groupInstanceId: text,
        clientId: isText,
        clientHost: isText,
        memberMetadata: isBytes,
        memberAssignment: isBytes,
      }),
    ),
  }),
  list: shape({
    error,
    groups: listOf(shape({ groupId: isText, protocolType: isText, groupState: isText })),
  }),
};

export function isGroupRequest(method: string, value: unknown): boolean {
  return Object.hasOwn(REQUESTS, method) && REQUESTS[method]?.(value) === true;
}

export function isGroupResponse(method: string, value: unknown): boolean {
  return Object.hasOwn(RESPONSES, method) && RESPONSES[method]?.(value) === true;
}
