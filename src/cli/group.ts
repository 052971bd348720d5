/** `lograft group list|describe|delete`: consumer groups, their members and their lag. */
import { LograftError } from '../base/errors.js';
import { ERROR } from '../protocol/errors.js';
import { deleteGroupsApi } from '../protocol/messages/delete-groups.js';
import { describeGroupsApi } from '../protocol/messages/describe-groups.js';
import { listGroupsApi } from '../protocol/messages/list-groups.js';
import { offsetFetchApi } from '../protocol/messages/offset-fetch.js';
import type { DecodedFields } from '../protocol/schema.js';
import type { WhereOptions } from './cluster/locate.js';
import { type KafkaClient, retrying } from './kafka/client.js';
import { type Assignment, decodeAssignment } from '../protocol/consumer-protocol.js';
import { throwIfError } from './kafka/errors.js';
import { listOffsets } from './kafka/offsets.js';
import { EXIT, type Output, table } from './output.js';
import { withClient } from './with-client.js';

const TIMEOUT_MS = 15_000;

type DescribedGroup = DecodedFields<typeof describeGroupsApi.response.fields>['groups'][number];

type Lag = {
  readonly topic: string;
  readonly partition: number;
  readonly committedOffset: number;
  readonly highWatermark: number;
  readonly lag: number;
  readonly memberId: string | null;
};

export async function listGroups(output: Output, options: WhereOptions): Promise<number> {
  return withClient(options, async (client) => {
    await client.refresh([]);
    const lists = await Promise.all([...client.brokers.keys()].map((id) => groupsOf(client, id)));
    const groups = lists.flat().sort((a, b) => (a.group < b.group ? -1 : 1));
    const rows = groups.map((g) => [g.group, g.state, g.protocolType, String(g.coordinator)]);
    output.result(groups, table(['GROUP', 'STATE', 'TYPE', 'COORDINATOR'], rows));
    return EXIT.done;
  });
}

export async function describeGroup(
  output: Output,
  group: string,
  options: WhereOptions,
): Promise<number> {
  return withClient(options, async (client) => {
    const { described, offsets, coordinator } = await mustFind(client, group);
    const members = described.members.map((member) => ({
      memberId: member.memberId,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: assignmentOf(described, member.memberAssignment),
    }));
    const lags = await lagsOf(client, offsets, members);
    const document = {
      group,
      state: described.groupState,
      protocolType: described.protocolType,
      protocol: described.protocolData,
      coordinator,
      members: members.map((m) => ({ ...m, assignment: Object.fromEntries(m.assignment) })),
      partitions: lags,
      lag: lags.reduce((sum, { lag }) => sum + lag, 0),
    };
    output.result(document, describeText(document));
    return EXIT.done;
  });
}

export async function deleteGroup(
  output: Output,
  group: string,
  options: WhereOptions,
): Promise<number> {
  return withClient(options, async (client) => {
    await mustFind(client, group);
    await output.progress(() => `deleting ${group}`, removeGroup(client, group));
    output.result({ group }, `deleted ${group}`);
    return EXIT.done;
  });
}

/** Who finds the group gone when asking again was heard the first time. */
async function removeGroup(client: KafkaClient, group: string): Promise<void> {
  await retrying(performance.now() + TIMEOUT_MS, async () => {
    const connection = await client.toAddress(await client.coordinatorOf(group));
    const { results } = await connection.request(deleteGroupsApi, { groupsNames: [group] });
    const code = results[0]?.errorCode ?? -1;
    if (code === ERROR.NON_EMPTY_GROUP) {
      throw new LograftError('INVALID_REQUEST', `group ${group} has members: end them first`);
    }
    if (code !== ERROR.GROUP_ID_NOT_FOUND) throwIfError(code, `group ${group}`);
  });
}

async function groupsOf(client: KafkaClient, nodeId: number) {
  try {
    const connection = await client.toNode(nodeId);
    const body = await connection.request(listGroupsApi, {});
    throwIfError(body.errorCode, `groups of node ${nodeId}`);
    return body.groups.map((g) => ({
      group: g.groupId,
      state: g.groupState,
      protocolType: g.protocolType,
      coordinator: nodeId,
    }));
  } catch (error) {
    // The groups of a node that is down are coordinated by another one.
    if ((error as Error).name === 'ConnectionError') return [];
    throw error;
  }
}

async function mustFind(client: KafkaClient, group: string) {
  const found = await askCoordinator(client, group);
  const isUnknown = found.described.groupState === 'Dead' && found.offsets.length === 0;
  if (isUnknown) throw new LograftError('NOT_FOUND', `there is no group ${group}`);
  return found;
}

async function askCoordinator(client: KafkaClient, group: string) {
  return retrying(performance.now() + TIMEOUT_MS, async () => {
    const address = await client.coordinatorOf(group);
    const connection = await client.toAddress(address);
    const descriptions = await connection.request(describeGroupsApi, { groups: [group] });
    const described = descriptions.groups[0] as DescribedGroup;
    throwIfError(described.errorCode, `group ${group}`);
    const body = await connection.request(offsetFetchApi, {
      groupId: group,
      topics: null,
      groups: [{ groupId: group, topics: null }],
    });
    const answer = body.groups[0] ?? body;
    throwIfError(answer.errorCode, `offsets of group ${group}`);
    const coordinator = `${address.host}:${address.port}`;
    return { described, offsets: answer.topics, coordinator };
  });
}

/** Only consumers use the format that the assignment is read with. */
function assignmentOf(group: DescribedGroup, bytes: Buffer): Assignment {
  return group.protocolType === 'consumer' ? decodeAssignment(bytes) : new Map();
}

/** One row for every partition with a committed offset or with an owner. */
async function lagsOf(
  client: KafkaClient,
  offsets: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly committedOffset: number;
    }[];
  }[],
  members: readonly { readonly memberId: string; readonly assignment: Assignment }[],
): Promise<Lag[]> {
  const rows = new Map<string, Map<number, { committed: number; memberId: string | null }>>();
  const row = (topic: string, partition: number) => {
    const ofTopic =
      rows.get(topic) ?? new Map<number, { committed: number; memberId: string | null }>();
    rows.set(topic, ofTopic);
    const found = ofTopic.get(partition) ?? { committed: -1, memberId: null };
    ofTopic.set(partition, found);
    return found;
  };
  for (const topic of offsets) {
    for (const p of topic.partitions)
      row(topic.name, p.partitionIndex).committed = p.committedOffset;
  }
  for (const { memberId, assignment } of members) {
    for (const [topic, partitions] of assignment) {
      for (const partition of partitions) row(topic, partition).memberId = memberId;
    }
  }
  const lags: Lag[] = [];
  for (const [topic, partitions] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const numbers = [...partitions.keys()].sort((a, b) => a - b);
    const deadline = performance.now() + TIMEOUT_MS;
    const starts = await listOffsets(client, topic, numbers, 'earliest', deadline);
    const ends = await listOffsets(client, topic, numbers, 'latest', deadline);
    for (const partition of numbers) {
      const { committed, memberId } = row(topic, partition);
      const highWatermark = ends.get(partition) as number;
      // Nothing committed: everything that is there is still to be read.
      const from = committed >= 0 ? committed : (starts.get(partition) as number);
      const lag = Math.max(0, highWatermark - from);
      lags.push({ topic, partition, committedOffset: committed, highWatermark, lag, memberId });
    }
  }
  return lags;
}

function describeText(group: {
  readonly group: string;
  readonly state: string;
  readonly protocol: string;
  readonly coordinator: string;
  readonly members: readonly unknown[];
  readonly partitions: readonly Lag[];
  readonly lag: number;
}): string {
  const head = `${group.group}: ${group.state}, ${group.members.length} members, lag ${group.lag}`;
  const rows = group.partitions.map((p) => [
    p.topic,
    String(p.partition),
    p.committedOffset < 0 ? '-' : String(p.committedOffset),
    String(p.highWatermark),
    String(p.lag),
    p.memberId ?? '-',
  ]);
  const titles = ['TOPIC', 'PARTITION', 'COMMITTED', 'HIGH', 'LAG', 'MEMBER'];
  return `${head}\ncoordinator ${group.coordinator}\n\n${table(titles, rows)}`;
}
