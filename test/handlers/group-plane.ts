/**
 * What a member of classic groups may rely on, asked of a broker whose coordinators are spread over
 * its shards: a call finds the right one from any connection.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { deleteGroupsApi } from '#src/protocol/messages/delete-groups.js';
import { describeGroupsApi } from '#src/protocol/messages/describe-groups.js';
import { findCoordinatorApi } from '#src/protocol/messages/find-coordinator.js';
import { heartbeatApi } from '#src/protocol/messages/heartbeat.js';
import { joinGroupApi } from '#src/protocol/messages/join-group.js';
import { leaveGroupApi } from '#src/protocol/messages/leave-group.js';
import { listGroupsApi } from '#src/protocol/messages/list-groups.js';
import { offsetCommitApi } from '#src/protocol/messages/offset-commit.js';
import { offsetDeleteApi } from '#src/protocol/messages/offset-delete.js';
import { offsetFetchApi } from '#src/protocol/messages/offset-fetch.js';
import { syncGroupApi } from '#src/protocol/messages/sync-group.js';
import { waitFor } from '../support/wait-for.js';
import { type Door, only } from './kit.js';
import type { Plane } from './plane.js';

const GROUPS = Array.from({ length: 6 }, (_, i) => `readers-${i}`);
const TOPIC = 'read-by-groups';

export function testGroups({ door }: Plane): void {
  const member = { memberId: 'nobody', generationId: 1 };

  test('groups: before the first of them no broker is a coordinator', async () => {
    await door.createTopic(TOPIC, 2);
    const group = { groupId: 'first', ...member };
    const beat = await door.connection.request(heartbeatApi, 3, group);
    assert.is(beat.errorCode, ERROR.NOT_COORDINATOR);
    const sync = await door.connection.request(syncGroupApi, 3, { ...group, assignments: [] });
    assert.is(sync.errorCode, ERROR.NOT_COORDINATOR);
    const join = await joinAs(door, 'first', '');
    assert.is(join.errorCode, ERROR.NOT_COORDINATOR);
    const fetched = await offsetsOf(door, 'first');
    assert.is(fetched.errorCode, ERROR.NOT_COORDINATOR);
    const leave = { groupId: 'first', members: [{ memberId: 'nobody' }] };
    const left = await door.connection.request(leaveGroupApi, 3, leave);
    assert.is(left.errorCode, ERROR.NOT_COORDINATOR);
    const committed = await commit(door, 'first', { ...member, offset: 1 });
    assert.equal(committed, [ERROR.NOT_COORDINATOR]);
    const described = await door.connection.request(describeGroupsApi, 4, { groups: ['first'] });
    assert.is(only(described.groups).errorCode, ERROR.NOT_COORDINATOR);
    assert.equal(await deleteGroups(door, ['first']), [['first', ERROR.NOT_COORDINATOR]]);
    assert.equal(await deleteOffset(door, 'first', 0), [ERROR.NOT_COORDINATOR]);
    const listed = await door.connection.request(listGroupsApi, 4, { statesFilter: [] });
    assert.equal([listed.errorCode, listed.groups], [ERROR.NONE, []]);
  });

  test('groups: FindCoordinator makes the offsets topic and answers several keys', async () => {
    await waitFor('coordinators', async () => {
      const body = { keyType: 0, coordinatorKeys: GROUPS };
      const answer = await door.connection.request(findCoordinatorApi, 4, body);
      assert.equal(
        answer.coordinators.map(({ key }) => key),
        GROUPS,
      );
      return answer.coordinators.every(({ errorCode, nodeId }) => errorCode === 0 && nodeId === 1);
    });
    const other = await door.connection.request(findCoordinatorApi, 2, { key: 'x', keyType: 1 });
    assert.is.not(other.errorCode, ERROR.NONE);
  });

  test('groups: join, sync, commit, fetch, leave, in every group', async () => {
    await Promise.all(GROUPS.map((groupId) => liveAndLeave(door, groupId)));
  });

  test('groups: all shards list and describe theirs', async () => {
    const listed = await door.connection.request(listGroupsApi, 4, { statesFilter: [] });
    assert.equal(listed.groups.map(({ groupId }) => groupId).sort(), GROUPS);
    const described = await door.connection.request(describeGroupsApi, 5, { groups: GROUPS });
    assert.equal(
      described.groups.map(({ groupId }) => groupId),
      GROUPS,
    );
    assert.ok(described.groups.every(({ groupState }) => groupState === 'Empty'));
  });

  test('groups: empty ones lose an offset, and go with the others', async () => {
    const [first = '', ...others] = GROUPS;
    assert.equal(await deleteOffset(door, first, 0), [ERROR.NONE, ERROR.NONE]);
    const unknown = ERROR.UNKNOWN_TOPIC_OR_PARTITION;
    assert.equal(await deleteOffset(door, first, 9), [ERROR.NONE, unknown]);
    assert.equal(await deleteOffset(door, first, 0, 'nowhere'), [ERROR.NONE, unknown]);
    assert.equal(await deleteOffset(door, 'nobody', 0), [ERROR.GROUP_ID_NOT_FOUND]);
    const { topics } = await offsetsOf(door, first);
    assert.ok(topics.every((t) => t.partitions.every((p) => p.committedOffset === -1)));
    const named = [...others, 'nobody', ...others];
    assert.equal(await deleteGroups(door, named), [
      ...others.map((groupId) => [groupId, ERROR.NONE]),
      ['nobody', ERROR.GROUP_ID_NOT_FOUND],
    ]);
    assert.equal(await deleteGroups(door, []), []);
    const listed = await door.connection.request(listGroupsApi, 4, { statesFilter: [] });
    assert.equal(
      listed.groups.map(({ groupId }) => groupId),
      [first],
    );
  });
}

async function liveAndLeave(door: Door, groupId: string): Promise<void> {
  const asked = await waitFor(`the coordinator of ${groupId}`, async () => {
    const answer = await joinAs(door, groupId, '');
    return answer.errorCode === ERROR.COORDINATOR_LOAD_IN_PROGRESS ? null : answer;
  });
  assert.is(asked.errorCode, ERROR.MEMBER_ID_REQUIRED);
  const { memberId } = asked;
  const joined = await joinAs(door, groupId, memberId);
  assert.is(joined.errorCode, ERROR.NONE);
  assert.is(joined.leader, memberId);
  assert.equal(
    joined.members.map((m) => [m.memberId, m.metadata.toString()]),
    [[memberId, 'what I read']],
  );
  const { generationId } = joined;
  const assignment = Buffer.from(`the part of ${groupId}`);
  const member = { groupId, generationId, memberId };
  const assignments = [{ memberId, assignment }];
  const synced = await door.connection.request(syncGroupApi, 3, { ...member, assignments });
  assert.equal([synced.errorCode, synced.assignment], [ERROR.NONE, assignment]);
  const beat = await door.connection.request(heartbeatApi, 3, member);
  assert.is(beat.errorCode, ERROR.NONE);
  const stale = await door.connection.request(heartbeatApi, 3, { ...member, generationId: 99 });
  assert.is(stale.errorCode, ERROR.ILLEGAL_GENERATION);
  await commitAndFetch(door, groupId, { memberId, generationId });
  assert.equal(await deleteGroups(door, [groupId]), [[groupId, ERROR.NON_EMPTY_GROUP]]);
  const read = [ERROR.NONE, ERROR.GROUP_SUBSCRIBED_TO_TOPIC];
  assert.equal(await deleteOffset(door, groupId, 0), read);
  const leave = { groupId, members: [{ memberId }] };
  const left = await door.connection.request(leaveGroupApi, 3, leave);
  assert.is(only(left.members).errorCode, ERROR.NONE);
  const gone = await door.connection.request(heartbeatApi, 3, member);
  assert.is(gone.errorCode, ERROR.UNKNOWN_MEMBER_ID);
}

type Member = { readonly memberId: string; readonly generationId: number };

async function commitAndFetch(door: Door, groupId: string, member: Member): Promise<void> {
  assert.equal(await commit(door, groupId, { ...member, offset: 42 }), [ERROR.NONE]);
  const wrong = await commit(door, groupId, { ...member, generationId: 7, offset: 43 });
  assert.equal(wrong, [ERROR.ILLEGAL_GENERATION]);
  const nowhere = await commit(door, groupId, { ...member, offset: 1, topic: 'nowhere' });
  assert.equal(nowhere, [ERROR.UNKNOWN_TOPIC_OR_PARTITION]);
  const fetched = await offsetsOf(door, groupId);
  const found = fetched.topics.flatMap(({ partitions }) =>
    partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
  );
  assert.equal(found, [
    [0, 42],
    [1, -1],
  ]);
}

function joinAs(door: Door, groupId: string, memberId: string) {
  return door.connection.request(joinGroupApi, 5, {
    ...{ groupId, memberId, protocolType: 'consumer' },
    ...{ sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000 },
    protocols: [{ name: 'range', metadata: Buffer.from('what I read') }],
  });
}

async function commit(
  door: Door,
  groupId: string,
  options: Member & { readonly offset: number; readonly topic?: string },
): Promise<number[]> {
  const { memberId, generationId, offset, topic = TOPIC } = options;
  const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }];
  const answer = await door.connection.request(offsetCommitApi, 7, {
    ...{ groupId, memberId, generationIdOrMemberEpoch: generationId },
    topics: [{ name: topic, partitions }],
  });
  return answer.topics.flatMap((t) => t.partitions.map(({ errorCode }) => errorCode));
}

function offsetsOf(door: Door, groupId: string) {
  const topics = [{ name: TOPIC, partitionIndexes: [0, 1] }];
  return door.connection.request(offsetFetchApi, 7, { groupId, topics });
}

async function deleteGroups(door: Door, groupsNames: readonly string[]) {
  const { results } = await door.connection.request(deleteGroupsApi, 2, { groupsNames });
  return results.map(({ groupId, errorCode }) => [groupId, errorCode]);
}

/** Code of the answer, then of the partition. */
async function deleteOffset(door: Door, groupId: string, partitionIndex: number, name = TOPIC) {
  const topics = [{ name, partitions: [{ partitionIndex }] }];
  const answer = await door.connection.request(offsetDeleteApi, 0, { groupId, topics });
  const codes = answer.topics.flatMap((t) => t.partitions.map(({ errorCode }) => errorCode));
  return [answer.errorCode, ...codes];
}
