/**
 * Consumer groups and their lag as v3 resources, from the coordinators on all nodes and the leaders
 * of what the groups read.
 */
import { LEADER_NONE, type NodeId } from '../../../base/units.js';
import type { DescribedGroup } from '../../../groups/group-types.js';
import { coordinatorOf } from '../../../groups/coordinator-of.js';
import { decodeAssignment, readable } from '../../../protocol/consumer-protocol.js';
import { askCoordinator, noCoordinator } from '../consumer/ask-coordinator.js';
import { committedOffsets } from '../consumer/group-offsets.js';
import { ownedKey } from '../consumer/owned.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';
import { askOffset } from '../leader-reads.js';
import { related, resource } from './resources.js';

/** Questions to other nodes that are open at once for one request. */
const AT_ONCE = 32;

export type Group = Awaited<ReturnType<typeof describeGroupV3>>;

export async function listGroupsV3(context: HttpContext, clusterId: string) {
  const listed = await context.listGroups();
  if (listed === null) throw new Problem(503, 'NO_COORDINATOR', 'a coordinator does not answer');
  const ids = listed.map(({ groupId }) => groupId).sort();
  const groups = await inTurns(ids, (groupId) => describe(context, groupId));
  return groups
    .filter(({ groupState }) => groupState !== 'Dead')
    .map((group) => groupResource(context, clusterId, group));
}

/** Throws Problem 404. */
export async function describeGroupV3(context: HttpContext, clusterId: string, groupId: string) {
  return groupResource(context, clusterId, await existing(context, groupId));
}

/** One element for each partition that the group has an offset for. Throws Problem. */
export async function lagsOf(context: HttpContext, clusterId: string, groupId: string) {
  const { members } = await existing(context, groupId);
  const readers = new Map<string, DescribedGroup['members'][number]>();
  for (const member of members) {
    // Members of another protocol have assignments of another form.
    const assignment = readable(() => decodeAssignment(member.memberAssignment)) ?? [];
    for (const [topic, partitions] of assignment) {
      for (const partition of partitions) readers.set(ownedKey({ topic, partition }), member);
    }
  }
  const committed = [...(await committedOffsets(context, groupId, null)).values()];
  const lags = await inTurns(committed, async ({ topic, partition, offset }) => {
    const image = context.image().topics.get(topic);
    if (image?.partitions[partition] === undefined) return null;
    const group = { topicId: image.topicId, partition };
    const { offset: end } = await askOffset(context, group, { kind: 'latest' });
    const reader = readers.get(ownedKey({ topic, partition }));
    const path = ['consumer-groups', groupId, 'lags', `${topic}-${partition}`];
    return {
      ...resource(context, clusterId, 'KafkaConsumerLag', path),
      cluster_id: clusterId,
      consumer_group_id: groupId,
      topic_name: topic,
      partition_id: partition,
      current_offset: offset,
      log_end_offset: end,
      lag: Math.max(0, end - offset),
      consumer_id: reader?.memberId ?? '',
      instance_id: reader?.groupInstanceId ?? null,
      client_id: reader?.clientId ?? '',
    };
  });
  return lags.filter((lag) => lag !== null);
}

function groupResource(context: HttpContext, clusterId: string, group: DescribedGroup) {
  const { groupId, groupState, protocolType, protocolData } = group;
  const path = ['consumer-groups', groupId];
  const coordinator = coordinatorNode(context, groupId);
  return {
    ...resource(context, clusterId, 'KafkaConsumerGroup', path),
    cluster_id: clusterId,
    consumer_group_id: groupId,
    is_simple: protocolType === '',
    partition_assignor: protocolData,
    // CompletingRebalance → COMPLETING_REBALANCE
    state: groupState.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(),
    coordinator: coordinator < 0 ? null : related(context, clusterId, 'brokers', coordinator),
    lags: related(context, clusterId, ...path, 'lags'),
  };
}

function coordinatorNode(context: HttpContext, groupId: string): NodeId {
  const group = coordinatorOf(context.image().topics, groupId);
  if (group === null) return LEADER_NONE;
  return context.leaders().leaderOf(group.topicId, group.partition);
}

async function existing(context: HttpContext, groupId: string): Promise<DescribedGroup> {
  const group = await describe(context, groupId);
  if (group.error === null && group.groupState !== 'Dead') return group;
  const shown = JSON.stringify(groupId.slice(0, 249));
  throw new Problem(404, 'UNKNOWN_GROUP', `there is no consumer group ${shown}`);
}

async function describe(context: HttpContext, groupId: string): Promise<DescribedGroup> {
  const group = await askCoordinator(context, 'describe', { groupId });
  if (group === null) throw noCoordinator(groupId);
  return group;
}

async function inTurns<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    answers.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(ask))));
  }
  return answers;
}
