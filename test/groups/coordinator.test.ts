/**
 * Offsets, loading, failover and snapshots of a coordinator on a partition that a test commits,
 * crashes and reloads at will.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GroupError } from '#src/groups/group-types.js';
import { commitError, GROUP, GroupBench, mustBe } from './group-bench.js';

const SMALL = {
  appendRecordsMax: 7,
  loadStepBytes: 300,
  loadStepGroups: 2,
  snapshotRecordsMin: 40,
  snapshotBytesMin: 1_000_000,
  snapshotLiveRatio: 2,
};

test('an offset commit is answered when a quorum has it, and read only from then on', () => {
  const bench = new GroupBench();
  bench.partition.isInstant = false;
  const answer = bench.commit(5);
  assert.is(answer.value, null);
  assert.is(bench.committed(), -1);
  bench.partition.commit();
  assert.is(commitError(answer), null);
  assert.is(bench.committed(), 5);
});

test('commits come from the current generation only (G3)', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2);
  const [a, b] = ids as [string, string];
  const as = (memberId: string, generationId: number) => ({ memberId, generationId });
  assert.is(commitError(bench.commit(1, as(a, generation))), null);
  assert.is(commitError(bench.commit(2, as(a, generation - 1))), 'ILLEGAL_GENERATION');
  assert.is(commitError(bench.commit(2, as('stranger', generation))), 'UNKNOWN_MEMBER_ID');
  assert.is(
    commitError(bench.commit(2)),
    'UNKNOWN_MEMBER_ID',
    'no outsider while there are members',
  );
  bench.join('');
  assert.is(commitError(bench.commit(3, as(b, generation))), null, 'until everybody has rejoined');
  bench.join(a);
  bench.join(b);
  assert.is(commitError(bench.commit(4, as(b, generation))), 'ILLEGAL_GENERATION');
  assert.is(commitError(bench.commit(4, as(b, generation + 1))), 'REBALANCE_IN_PROGRESS');
  assert.is(bench.committed(), 3);
});

test('a consumer without a group commits while nobody is a member', () => {
  const bench = new GroupBench();
  assert.is(commitError(bench.commit(7, { groupId: 'simple' })), null);
  assert.is(bench.committed(0, 'simple'), 7);
  assert.is(bench.committed(1, 'simple'), -1);
  assert.is(bench.committed(0, 'unknown'), -1);
  assert.is(
    commitError(bench.commit(7, { groupId: 'other', generationId: 3, memberId: 'm' })),
    'ILLEGAL_GENERATION',
  );
  assert.equal(bench.coordinator.list({ statesFilter: [] }).groups, [
    { groupId: 'simple', protocolType: '', groupState: 'Empty' },
  ]);
});

test('all offsets of a group are told when no topic is named', () => {
  const bench = new GroupBench();
  bench.commit(5, { partition: 1, metadata: 'note' });
  bench.commit(6, { partition: 4 });
  const seen: unknown[] = [];
  bench.coordinator.fetchOffsets({ groupId: GROUP, topics: null }, (response) =>
    seen.push(response),
  );
  const partition = (partitionIndex: number, committedOffset: number, metadata: string) => ({
    partitionIndex,
    committedOffset,
    committedLeaderEpoch: 3,
    metadata,
    error: null,
  });
  assert.equal(seen, [
    {
      groupId: GROUP,
      error: null,
      topics: [{ name: 't', partitions: [partition(1, 5, 'note'), partition(4, 6, '')] }],
    },
  ]);
});

test('a note that is too long is refused, its neighbours are not', () => {
  const bench = new GroupBench();
  const errors: (GroupError | null)[] = [];
  const partition = (partitionIndex: number, committedMetadata: string) => ({
    partitionIndex,
    committedOffset: 1,
    committedLeaderEpoch: -1,
    committedMetadata,
  });
  const topics = [{ name: 't', partitions: [partition(0, 'x'.repeat(101)), partition(1, 'ok')] }];
  const request = {
    groupId: GROUP,
    generationId: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1,
  };
  bench.coordinator.commitOffsets({ ...request, topics }, (response) => {
    for (const { error } of response.topics[0]?.partitions ?? []) errors.push(error);
  });
  assert.equal(errors, ['OFFSET_METADATA_TOO_LARGE', null]);
  assert.is(bench.committed(0), -1);
  assert.is(bench.committed(1), 1);
});

test('errors of the log become errors that clients try again', () => {
  const bench = new GroupBench();
  for (const [refusal, expected] of [
    ['NOT_LEADER', 'NOT_COORDINATOR'],
    ['TIMED_OUT', 'COORDINATOR_NOT_AVAILABLE'],
    ['STORAGE_FULL', 'COORDINATOR_NOT_AVAILABLE'],
    ['MESSAGE_TOO_LARGE', 'INVALID_COMMIT_OFFSET_SIZE'],
  ] as const) {
    bench.partition.refusal = refusal;
    assert.is(commitError(bench.commit(1)), expected);
  }
  assert.is(bench.committed(), -1);
});

test('while it loads every answer says so, never an empty offset', () => {
  const bench = new GroupBench(SMALL);
  for (let i = 0; i < 50; i++) bench.commit(i, { partition: i % 5 });
  bench.partition.crash(false);
  const coordinator = bench.newLeader();
  const loading = 'COORDINATOR_LOAD_IN_PROGRESS';
  let steps = 0;
  while (!coordinator.loadSome()) {
    steps += 1;
    assert.is(bench.committed(), loading);
    assert.is(commitError(bench.commit(99)), loading);
    assert.is(mustBe(bench.join('')).error, loading);
    assert.is(mustBe(bench.sync('m', 1)).error, loading);
    assert.is(bench.heartbeat('m', 1), loading);
    assert.is(bench.leave(['m', null]).error, loading);
    assert.is(coordinator.list({ statesFilter: [] }).error, loading);
  }
  assert.ok(steps > 5, 'in small steps');
  assert.is(bench.committed(4), 49);
});

test('when leadership goes all who wait hear NOT_COORDINATOR, later news is ignored', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(2);
  const [a, b] = ids as [string, string];
  bench.partition.isInstant = false;
  const commit = bench.commit(5, { memberId: a, generationId: generation });
  const join = bench.join(b, { protocols: [['range', 'changed']] });
  bench.coordinator.onNotLeader();
  assert.is(commitError(commit), 'NOT_COORDINATOR');
  assert.is(mustBe(join).error, 'NOT_COORDINATOR');
  bench.partition.commit();
  assert.is(bench.committed(), 'NOT_COORDINATOR');
  assert.is(bench.heartbeat(a, generation), 'NOT_COORDINATOR');
  bench.pass(60_000);
  assert.is(bench.coordinator.stats().deadlines, 0);
});

test('a deposed coordinator that does not know it serves no offset (G4)', () => {
  const bench = new GroupBench();
  bench.commit(5);
  const old = bench.coordinator;
  bench.partition.crash(false);
  bench.newLeader();
  bench.load();
  bench.commit(6);
  let error: unknown;
  old.fetchOffsets({ groupId: GROUP, topics: null }, (response) => {
    error = response.error;
  });
  assert.is(error, 'NOT_COORDINATOR');
  assert.is(bench.committed(), 6);
});

test('members go on after a failover with their ids, generation and assignments', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(3);
  bench.commit(5, { memberId: ids[0] as string, generationId: generation });
  bench.failover();
  assert.is(bench.state(), 'Stable');
  assert.is(bench.committed(), 5);
  for (const id of ids) {
    assert.is(bench.heartbeat(id, generation), null);
    assert.is(`${mustBe(bench.sync(id, generation)).assignment}`, `of ${id}`);
    assert.is(commitError(bench.commit(6, { memberId: id, generationId: generation })), null);
  }
  bench.pass(11_000);
  assert.is(bench.state(), 'Empty', 'and lose them when they are silent');
});

test('a generation that was announced and not assigned is taken up by the next coordinator', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, groupInitialRebalanceDelayMs: 1_000 };
  const joins = [bench.join(''), bench.join('')];
  bench.pass(2_500);
  const [a, b] = joins.map((join) => mustBe(join).memberId) as [string, string];
  bench.failover();
  assert.is(bench.state(), 'CompletingRebalance');
  const follower = bench.sync(b, 1);
  assert.is(mustBe(bench.sync(a, 1, { [a]: 'p0', [b]: 'p1' })).error, null);
  assert.is(`${mustBe(follower).assignment}`, 'p1');
});

test('generations rise even when no assignment was ever stored (G2)', () => {
  const bench = new GroupBench();
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    seen.push(mustBe(bench.join('')).generationId);
    bench.failover();
    bench.pass(31_000);
  }
  assert.equal(
    seen,
    [...seen].sort((x, y) => x - y),
  );
  assert.is(new Set(seen).size, seen.length);
});

test('what was not acknowledged when the leader died may come back, the rest does', () => {
  for (const keeps of [true, false]) {
    const bench = new GroupBench();
    bench.commit(5);
    bench.partition.isInstant = false;
    const answer = bench.commit(6);
    bench.failover(keeps);
    assert.is(answer.value, null);
    assert.is(bench.committed(), keeps ? 6 : 5);
  }
});

test('a snapshot bounds the reload', () => {
  const bench = new GroupBench(SMALL);
  const { generation } = bench.stable(2);
  for (let i = 0; i < 500; i++) bench.commit(i, { partition: i % 10, groupId: `g${i % 3}` });
  const before = bench.partition.content();
  assert.ok(bench.partition.logEndOffset > 500);
  bench.pass(20_000);
  for (let i = 0; i < 10; i++) bench.pass(500);
  assert.is(bench.coordinator.stats().snapshots, 1);
  const { logStartOffset, logEndOffset } = bench.partition;
  assert.ok(
    logEndOffset - logStartOffset <= 2 * before.size,
    `${logEndOffset - logStartOffset} left`,
  );
  // The members' sessions ended meanwhile: their group's record is a newer one.
  const isOffset = ([key]: [string, string]): boolean => !key.includes('readers');
  assert.equal(
    [...bench.partition.content()].filter(isOffset).sort(),
    [...before].filter(isOffset).sort(),
  );
  bench.failover();
  assert.is(bench.committed(9, 'g0'), 489);
  assert.is(bench.committed(9, 'g1'), 499);
  assert.ok(generation > 0);
});

test('a snapshot copies a commit that is on its way, not what it replaces', () => {
  const bench = new GroupBench(SMALL);
  for (let i = 0; i < 100; i++) bench.commit(i);
  bench.partition.isInstant = false;
  const answer = bench.commit(1_000);
  bench.pass(500);
  assert.is(bench.partition.uncommitted, 2, 'the commit and the copy');
  bench.partition.commit();
  assert.is(commitError(answer), null);
  bench.pass(500);
  assert.equal(bench.partition.proposals, [101]);
  bench.failover();
  assert.is(bench.committed(), 1_000);
});

test('a failover in the middle of a snapshot loses nothing, and the next one makes its own', () => {
  const bench = new GroupBench(SMALL);
  for (let i = 0; i < 200; i++) bench.commit(i, { partition: i % 20 });
  bench.partition.isInstant = false;
  bench.pass(500);
  bench.partition.commit();
  bench.pass(500);
  assert.is(bench.partition.uncommitted, 1, 'the second of three parts');
  bench.failover();
  assert.equal(bench.partition.proposals, []);
  bench.partition.isInstant = true;
  for (let p = 0; p < 20; p++) assert.is(bench.committed(p), 180 + p);
  bench.pass(3_000);
  assert.is(bench.partition.proposals.length, 1);
  bench.failover();
  for (let p = 0; p < 20; p++) assert.is(bench.committed(p), 180 + p);
});

test('a snapshot during which a write failed proposes nothing', () => {
  const bench = new GroupBench(SMALL);
  for (let i = 0; i < 200; i++) bench.commit(i, { partition: i % 20 });
  bench.pass(500);
  bench.partition.refusal = 'TIMED_OUT';
  bench.commit(7);
  bench.partition.refusal = null;
  bench.pass(3_000);
  assert.equal(bench.partition.proposals, []);
  bench.pass(12_000);
  assert.is(bench.partition.proposals.length, 1, 'it is tried again');
});

test('a log of nothing but leftovers starts at its end', () => {
  const bench = new GroupBench(SMALL);
  for (let i = 0; i < 60; i++) bench.commit(i);
  let error: unknown = 'none yet';
  bench.coordinator.deleteGroup({ groupId: GROUP }, (response) => {
    error = response.error;
  });
  assert.is(error, null);
  bench.pass(1_000);
  assert.equal(bench.partition.proposals, [bench.partition.logEndOffset]);
  bench.failover();
  assert.is(bench.committed(), -1);
  assert.is(bench.state(), 'Dead');
});

test('a big commit is split into batches and answered once', () => {
  const bench = new GroupBench(SMALL);
  const partitions = Array.from({ length: 30 }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset: partitionIndex,
    committedLeaderEpoch: -1,
    committedMetadata: null,
  }));
  const request = {
    groupId: GROUP,
    generationId: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1,
  };
  let answers = 0;
  bench.coordinator.commitOffsets(
    { ...request, topics: [{ name: 't', partitions }] },
    ({ topics }) => {
      answers += 1;
      assert.ok(topics[0]?.partitions.every(({ error }) => error === null));
    },
  );
  assert.is(answers, 1);
  assert.is(bench.partition.batches.length, 5);
});

test('a group is described with members, metadata and assignments', () => {
  const bench = new GroupBench();
  const { ids } = bench.stable(1);
  bench.coordinator.describe({ groupId: GROUP }, (group) => {
    const { members, ...rest } = group;
    assert.equal(rest, {
      error: null,
      groupId: GROUP,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      authorizedOperations: -2147483648,
    });
    assert.is(members[0]?.clientHost, '/127.0.0.1');
    assert.is(`${members[0]?.memberMetadata}`, 'm');
    assert.is(`${members[0]?.memberAssignment}`, `of ${ids[0]}`);
  });
});

test('no group has an empty name, but old consumers may commit under it', () => {
  const bench = new GroupBench();
  assert.is(mustBe(bench.join('', { groupId: '' })).error, 'INVALID_GROUP_ID');
  assert.is(commitError(bench.commit(1, { groupId: '' })), null);
  assert.is(mustBe(bench.join('', { groupId: 'x'.repeat(33_000) })).error, 'INVALID_GROUP_ID');
});

test.run();
