/**
 * Members of a classic group as their clients see them: joins, rounds, sessions, static members.
 * Every story runs through the coordinator with a fake clock.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GroupBench, mustBe } from './group-bench.js';

test('a first join gets an id and MEMBER_ID_REQUIRED, the second one a generation', () => {
  const bench = new GroupBench();
  const first = mustBe(bench.join('', { requireKnownMemberId: true, clientId: 'app' }));
  assert.is(first.error, 'MEMBER_ID_REQUIRED');
  assert.ok(first.memberId.startsWith('app-'));
  const second = mustBe(bench.join(first.memberId));
  assert.equal(
    {
      ...second,
      members: second.members.map(({ memberId, metadata }) => [memberId, `${metadata}`]),
    },
    {
      error: null,
      generationId: 1,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: first.memberId,
      skipAssignment: false,
      memberId: first.memberId,
      members: [[first.memberId, 'm']],
    },
  );
  assert.is(bench.state(), 'CompletingRebalance');
});

test('an id that was given out and not used is forgotten after the session timeout', () => {
  const bench = new GroupBench();
  const { memberId } = mustBe(bench.join('', { requireKnownMemberId: true, sessionMs: 6_000 }));
  bench.pass(6_500);
  assert.is(mustBe(bench.join(memberId)).error, 'UNKNOWN_MEMBER_ID');
  assert.is(bench.coordinator.stats().groups, 0, 'and so is the group');
});

test('the session timeout has bounds', () => {
  const bench = new GroupBench();
  assert.is(mustBe(bench.join('', { sessionMs: 5_999 })).error, 'INVALID_SESSION_TIMEOUT');
  assert.is(mustBe(bench.join('', { sessionMs: 1_800_001 })).error, 'INVALID_SESSION_TIMEOUT');
  assert.is(bench.coordinator.stats().groups, 0);
});

test('an empty group waits for members, longer while they come, and starts them together', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, groupInitialRebalanceDelayMs: 3_000 };
  const a = bench.join('', { rebalanceMs: 8_000 });
  bench.pass(2_000);
  const b = bench.join('', { rebalanceMs: 8_000 });
  bench.pass(2_000);
  assert.is(a.value, null, 'the newcomer prolonged the wait');
  bench.pass(2_000);
  const { leader, memberId, members } = mustBe(a);
  assert.is(leader, memberId);
  assert.is(members.length, 2);
  assert.is(mustBe(b).leader, memberId);
  assert.equal(mustBe(b).members, []);
  assert.is(mustBe(b).generationId, 1);
});

test('followers wait for the assignment of the leader', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, groupInitialRebalanceDelayMs: 1_000 };
  const [a, b] = [bench.join(''), bench.join('')];
  bench.pass(2_000);
  const [first, second] = [mustBe(a).memberId, mustBe(b).memberId];
  const follower = bench.sync(second, 1);
  assert.is(follower.value, null);
  const leader = bench.sync(first, 1, { [first]: 'p0', [second]: 'p1', stranger: 'p2' });
  assert.is(`${mustBe(leader).assignment}`, 'p0');
  assert.is(`${mustBe(follower).assignment}`, 'p1');
  assert.is(mustBe(follower).protocolName, 'range');
  assert.is(`${mustBe(bench.sync(second, 1)).assignment}`, 'p1', 'asked again, answered again');
});

test('a newcomer starts a round: the others hear of it by heartbeat and rejoin', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2);
  const [a, b] = ids as [string, string];
  assert.is(bench.heartbeat(a, generation), null);
  const newcomer = bench.join('');
  assert.is(newcomer.value, null);
  assert.is(bench.heartbeat(a, generation), 'REBALANCE_IN_PROGRESS');
  assert.is(mustBe(bench.sync(b, generation)).error, 'REBALANCE_IN_PROGRESS');
  const again = [bench.join(a), bench.join(b)];
  assert.is(mustBe(newcomer).generationId, generation + 1);
  for (const answer of again) assert.is(mustBe(answer).generationId, generation + 1);
  assert.is(bench.heartbeat(a, generation), 'ILLEGAL_GENERATION');
  assert.is(bench.heartbeat(a, generation + 1), null);
});

test('who does not rejoin in time is out, and its place goes to the others', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2, { rebalanceMs: 20_000, sessionMs: 10_000 });
  const [a, b] = ids as [string, string];
  const newcomer = bench.join('', { rebalanceMs: 20_000 });
  const again = bench.join(a, { rebalanceMs: 20_000 });
  for (let i = 0; i < 5; i++) {
    bench.pass(4_000);
    bench.heartbeat(b, generation);
  }
  bench.pass(1_000);
  assert.is(mustBe(again).members.length, 2);
  assert.is(mustBe(newcomer).error, null);
  assert.is(bench.heartbeat(b, generation), 'UNKNOWN_MEMBER_ID');
});

test('a member that dies loses its place after its session (G6)', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2, { sessionMs: 6_000 });
  const [a, b] = ids as [string, string];
  for (let i = 0; i < 3; i++) {
    bench.pass(2_500);
    bench.heartbeat(b, generation);
  }
  assert.is(bench.state(), 'PreparingRebalance');
  const again = mustBe(bench.join(b));
  assert.is(again.generationId, generation + 1);
  assert.is(again.leader, b, 'the leader was the dead one');
  assert.is(bench.heartbeat(a, generation), 'UNKNOWN_MEMBER_ID');
});

test('a pause of the coordinator itself costs nobody its session', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2, { sessionMs: 6_000 });
  bench.freeze(3_600_000);
  assert.is(bench.state(), 'Stable');
  for (const id of ids) assert.is(bench.heartbeat(id, generation), null);
});

test('a leader that never assigns is removed, and the others are called to rejoin', () => {
  const bench = new GroupBench();
  const a = mustBe(bench.join('', { rebalanceMs: 10_000, sessionMs: 6_000 }));
  for (let i = 0; i < 4; i++) {
    bench.pass(2_500);
    bench.heartbeat(a.memberId, 1);
  }
  bench.pass(1_000);
  assert.is(bench.heartbeat(a.memberId, 1), 'UNKNOWN_MEMBER_ID');
  assert.is(bench.state(), 'Empty');
});

test('the protocol is the one all support and most prefer; nothing in common is refused', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, groupInitialRebalanceDelayMs: 1_000 };
  const p = (...names: string[]) => names.map((name) => [name, `of ${name}`] as const);
  const a = bench.join('', { protocols: p('range', 'sticky', 'own') });
  const b = bench.join('', { protocols: p('sticky', 'range') });
  const c = bench.join('', { protocols: p('sticky', 'range', 'other') });
  assert.is(mustBe(bench.join('', { protocols: p('other') })).error, 'INCONSISTENT_GROUP_PROTOCOL');
  assert.is(
    mustBe(bench.join('', { protocolType: 'connect', protocols: p('sticky') })).error,
    'INCONSISTENT_GROUP_PROTOCOL',
  );
  assert.is(
    mustBe(bench.join('', { groupId: 'other', protocols: [] })).error,
    'INCONSISTENT_GROUP_PROTOCOL',
  );
  bench.pass(2_000);
  assert.is(mustBe(a).protocolName, 'sticky');
  assert.equal(
    mustBe(a).members.map(({ metadata }) => `${metadata}`),
    Array(3).fill('of sticky'),
  );
  assert.is(mustBe(b).protocolName, 'sticky');
  assert.is(mustBe(c).protocolName, 'sticky');
});

test('groups of Connect work like any other', () => {
  const bench = new GroupBench();
  const options = { protocolType: 'connect', protocols: [['sessioned', 'url']] as const };
  const { ids, generation } = bench.stable(2, options);
  assert.is(bench.heartbeat(ids[1] as string, generation), null);
  assert.equal(bench.coordinator.list({ statesFilter: ['stable'] }).groups, [
    { groupId: 'readers', protocolType: 'connect', groupState: 'Stable' },
  ]);
});

test('an unchanged follower that asks again keeps its generation, a leader gets another', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2);
  const [leader, follower] = ids as [string, string];
  const same = mustBe(bench.join(follower));
  assert.is(same.generationId, generation);
  assert.equal(same.members, []);
  assert.is(bench.state(), 'Stable');
  const changed = bench.join(follower, { protocols: [['range', 'other topics']] });
  assert.is(changed.value, null);
  assert.is(mustBe(bench.join(leader)).generationId, generation + 1);
  assert.is(mustBe(changed).generationId, generation + 1);
});

test('a repeated join replaces the one that waits, and both are answered', () => {
  const bench = new GroupBench();
  const { ids } = bench.stable(2);
  const [a, b] = ids as [string, string];
  const first = bench.join(a);
  const second = bench.join(a);
  assert.is(mustBe(first).error, 'REBALANCE_IN_PROGRESS');
  assert.is(second.value, null);
  bench.join(b);
  assert.is(mustBe(second).error, null);
});

test('leaving members make room at once, the last one empties the group', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2);
  const [a, b] = ids as [string, string];
  assert.equal(
    bench.leave([a, null], ['stranger', null]).members.map(({ error }) => error),
    [null, 'UNKNOWN_MEMBER_ID'],
  );
  assert.is(bench.heartbeat(b, generation), 'REBALANCE_IN_PROGRESS');
  assert.is(bench.leave([b, null]).members[0]?.error, null);
  assert.is(bench.state(), 'Empty');
  assert.is(mustBe(bench.join('')).generationId, generation + 2);
});

test('an id that is still pending can leave, and nobody else is disturbed', () => {
  const bench = new GroupBench();
  bench.stable(1);
  const { memberId } = mustBe(bench.join('', { requireKnownMemberId: true }));
  assert.is(bench.leave([memberId, null]).members[0]?.error, null);
  assert.is(bench.state(), 'Stable');
});

test('a restarted static member takes its place back without a round', () => {
  const bench = new GroupBench();
  const leader = mustBe(bench.join('', { instanceId: 'i1' }));
  bench.sync(leader.memberId, 1, { [leader.memberId]: 'mine' }, 'i1');
  const back = mustBe(bench.join('', { instanceId: 'i1', canSkip: true }));
  assert.is(back.generationId, 1);
  assert.is.not(back.memberId, leader.memberId);
  assert.is(back.skipAssignment, true, 'a leader that must not assign anew (KIP-814)');
  assert.is(back.leader, back.memberId);
  assert.is(back.members.length, 1);
  assert.is(`${mustBe(bench.sync(back.memberId, 1, {}, 'i1')).assignment}`, 'mine');
  assert.is(bench.heartbeat(leader.memberId, 1, 'i1'), 'FENCED_INSTANCE_ID');
  const old = mustBe(bench.join('', { instanceId: 'i1' }));
  assert.is(old.leader, back.memberId, 'an old client is told that somebody else leads');
  assert.is(old.skipAssignment, false);
  bench.failover();
  assert.is(bench.heartbeat(old.memberId, 1, 'i1'), null, 'the new id survives');
});

test('a waiting static member is fenced, and an administrator removes it by its name', () => {
  const bench = new GroupBench();
  bench.stable(1);
  const waiting = bench.join('', { instanceId: 'i1' });
  const other = bench.join('', { instanceId: 'i1' });
  assert.is(mustBe(waiting).error, 'FENCED_INSTANCE_ID');
  assert.equal(
    bench.leave(['', 'i1'], ['', 'i2']).members.map(({ error }) => error),
    [null, 'UNKNOWN_MEMBER_ID'],
  );
  assert.is(mustBe(other).error, 'UNKNOWN_MEMBER_ID');
});

test('a static member that is away keeps its place through a round until its session ends', () => {
  const bench = new GroupBench();
  const a = mustBe(bench.join('', { instanceId: 'a', rebalanceMs: 6_000, sessionMs: 60_000 }));
  bench.sync(a.memberId, 1, { [a.memberId]: 'x' }, 'a');
  const b = bench.join('', { instanceId: 'b', rebalanceMs: 6_000 });
  bench.pass(7_000);
  assert.is(mustBe(b).members.length, 2, 'b leads, a is still a member');
  assert.is(mustBe(b).leader, mustBe(b).memberId);
});

test('group.max.size bounds members and ids given out', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, groupMaxSize: 2 };
  bench.stable(2);
  assert.is(mustBe(bench.join('')).error, 'GROUP_MAX_SIZE_REACHED');
  for (let i = 0; i < 3; i++) bench.join('', { groupId: 'g', requireKnownMemberId: true });
  const fourth = mustBe(bench.join('', { groupId: 'g', requireKnownMemberId: true }));
  assert.is(fourth.error, 'GROUP_MAX_SIZE_REACHED');
});

test('members whose metadata would not fit into a record are refused', () => {
  const bench = new GroupBench();
  bench.stable(1);
  const huge = mustBe(bench.join('', { protocols: [['range', 'x'.repeat(1_000_000)]] }));
  assert.is(huge.error, 'GROUP_MAX_SIZE_REACHED');
  assert.is(bench.state(), 'Stable');
  const { memberId } = mustBe(bench.join('', { groupId: 'readers2' }));
  assert.ok(memberId);
});

test('an assignment that would not fit ends the round with an error for all', () => {
  const bench = new GroupBench();
  const a = mustBe(bench.join(''));
  const sync = mustBe(bench.sync(a.memberId, 1, { [a.memberId]: 'x'.repeat(1_000_000) }));
  assert.is(sync.error, 'MESSAGE_TOO_LARGE');
  assert.is(bench.state(), 'PreparingRebalance');
});

test('a sync must name the generation and the protocol of the group', () => {
  const bench = new GroupBench();
  const { memberId } = mustBe(bench.join(''));
  assert.is(mustBe(bench.sync(memberId, 2)).error, 'ILLEGAL_GENERATION');
  assert.is(mustBe(bench.sync('nobody', 1)).error, 'UNKNOWN_MEMBER_ID');
  let error: unknown;
  const request = {
    groupId: 'readers',
    generationId: 1,
    memberId,
    groupInstanceId: null,
    assignments: [],
  };
  bench.coordinator.sync(
    { ...request, protocolType: 'consumer', protocolName: 'sticky' },
    (response) => {
      error = response.error;
    },
  );
  assert.is(error, 'INCONSISTENT_GROUP_PROTOCOL');
});

test('nobody hears of a generation before a quorum has it (G2)', () => {
  const bench = new GroupBench();
  bench.partition.isInstant = false;
  const a = bench.join('');
  assert.is(a.value, null);
  bench.partition.commit();
  const { memberId } = mustBe(a);
  const sync = bench.sync(memberId, 1, { [memberId]: 'x' });
  assert.is(sync.value, null, 'nor of its assignment');
  assert.is(bench.state(), 'CompletingRebalance');
  bench.partition.commit();
  assert.is(mustBe(sync).error, null);
});

test('a member that comes while a generation is being written joins the next one', () => {
  const bench = new GroupBench();
  bench.partition.isInstant = false;
  const a = bench.join('');
  const b = bench.join('');
  bench.partition.commit();
  assert.is(mustBe(a).generationId, 2);
  assert.is(mustBe(b).generationId, 2);
  assert.is(mustBe(a).members.length, 2);
});

test('when the log refuses, the members are told and asked to join again', () => {
  const bench = new GroupBench();
  bench.partition.refusal = 'STORAGE_FULL';
  const a = mustBe(bench.join(''));
  assert.is(a.error, 'COORDINATOR_NOT_AVAILABLE');
  assert.is(bench.state(), 'PreparingRebalance');
  bench.partition.refusal = null;
  const again = mustBe(bench.join(a.memberId));
  assert.is(again.generationId, 2);
  bench.partition.refusal = 'TIMED_OUT';
  assert.is(mustBe(bench.sync(a.memberId, 2)).error, 'COORDINATOR_NOT_AVAILABLE');
  assert.is(bench.heartbeat(a.memberId, 2), 'REBALANCE_IN_PROGRESS');
});

test.run();
