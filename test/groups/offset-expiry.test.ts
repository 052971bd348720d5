/** How offsets and groups go: by age, by request, with their topic. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GroupError } from '#src/groups/group-types.js';
import { GROUP, GroupBench, mustBe } from './group-bench.js';

/** What deleting the group was answered with; undefined while nobody has answered. */
function deletionOf(bench: GroupBench, groupId = GROUP): () => GroupError | null | undefined {
  let answer: GroupError | null | undefined;
  bench.coordinator.deleteGroup({ groupId }, ({ error }) => {
    assert.is(answer, undefined, 'answered once');
    answer = error;
  });
  return () => answer;
}

/** What deleting the offset of partition 0 was answered with: of the request, then of it. */
function offsetDeletion(bench: GroupBench, groupId = GROUP, name = 't') {
  let answer: (GroupError | null | undefined)[] = [];
  const topics = [{ name, partitions: [{ partitionIndex: 0 }] }];
  bench.coordinator.deleteOffsets({ groupId, topics }, ({ error, topics: [topic] }) => {
    answer = [error, topic?.partitions[0]?.error];
  });
  return answer;
}

/** An empty group that had a member, with one offset. */
function emptyGroup(): GroupBench {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(1);
  const memberId = ids[0] as string;
  bench.commit(5, { memberId, generationId: generation });
  bench.leave([memberId, null]);
  assert.is(bench.state(), 'Empty');
  return bench;
}

test('offsets of an empty group expire, and with the last of them the group', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, offsetsRetentionMs: 3_600_000 };
  const { ids, generation } = bench.stable(1);
  bench.commit(5, { memberId: ids[0] as string, generationId: generation });
  bench.leave([ids[0] as string, null]);
  bench.pass(3_500_000);
  assert.is(bench.committed(), 5);
  bench.pass(800_000);
  assert.is(bench.committed(), -1);
  assert.is(bench.state(), 'Dead');
  bench.failover();
  assert.is(bench.coordinator.stats().groups, 0);
});

test('a stable group loses offsets of topics that no member reads', () => {
  const bench = new GroupBench();
  bench.settings = { ...bench.settings, offsetsRetentionMs: 3_600_000 };
  const subscription = Buffer.from('0000' + '00000001' + '0005' + '6f74686572', 'hex').toString(
    'latin1',
  );
  const { ids, generation } = bench.stable(1, { protocols: [['range', subscription]] });
  const as = { memberId: ids[0] as string, generationId: generation };
  bench.commit(5, as);
  for (let i = 0; i < 1_000; i++) {
    bench.pass(5_000);
    bench.heartbeat(as.memberId, generation);
  }
  assert.is(bench.state(), 'Stable');
  assert.is(bench.committed(), -1, 't is not subscribed to');
});

test('a group is deleted when it is empty, with its offsets, for good', () => {
  const bench = new GroupBench();
  const { ids, generation } = bench.stable(1);
  const memberId = ids[0] as string;
  bench.commit(5, { memberId, generationId: generation });
  bench.commit(3, { groupId: 'simple' });
  assert.is(deletionOf(bench, 'nobody')(), 'GROUP_ID_NOT_FOUND');
  assert.is(deletionOf(bench)(), 'NON_EMPTY_GROUP');
  assert.is(bench.committed(), 5);
  bench.leave([memberId, null]);
  assert.is(deletionOf(bench)(), null);
  assert.is(deletionOf(bench, 'simple')(), null);
  for (let i = 0; i < 2; i++) {
    assert.equal([bench.committed(), bench.committed(0, 'simple')], [-1, -1]);
    assert.equal([bench.state(), bench.state('simple')], ['Dead', 'Dead']);
    assert.is(deletionOf(bench)(), 'GROUP_ID_NOT_FOUND');
    bench.failover();
  }
  assert.is(bench.partition.content().size, 0);
  assert.is(bench.join('').value?.error ?? null, null, 'the name may be used again');
});

test('the deletion of a group is answered when a quorum has it, and not taken back then', () => {
  for (const keepsUncommitted of [false, true]) {
    const bench = emptyGroup();
    bench.partition.isInstant = false;
    const answer = deletionOf(bench);
    assert.is(answer(), undefined);
    bench.partition.isInstant = true;
    bench.failover(keepsUncommitted);
    assert.is(bench.state(), keepsUncommitted ? 'Dead' : 'Empty');
    assert.is(bench.committed(), keepsUncommitted ? -1 : 5);
  }
});

test('a group that could not be deleted is there, and can be deleted later', () => {
  const bench = emptyGroup();
  bench.partition.refusal = 'STORAGE_FULL';
  assert.is(deletionOf(bench)(), 'COORDINATOR_NOT_AVAILABLE');
  assert.equal([bench.state(), bench.committed()], ['Empty', 5]);
  bench.partition.refusal = null;
  assert.is(deletionOf(bench)(), null);
  bench.failover();
  assert.equal([bench.state(), bench.committed()], ['Dead', -1]);
});

test('members may come while the deletion of their group is written', () => {
  const bench = emptyGroup();
  bench.partition.isInstant = false;
  const answer = deletionOf(bench);
  const joined = bench.join('');
  assert.equal([answer(), joined.value], [undefined, null]);
  bench.partition.isInstant = true;
  bench.partition.commit();
  assert.is(answer(), null);
  const { memberId, generationId } = mustBe(joined);
  assert.is(mustBe(bench.sync(memberId, generationId, { [memberId]: 'all' })).error, null);
  bench.failover();
  assert.equal([bench.state(), bench.committed()], ['Stable', -1]);
});

test('a group that could not expire expires later', () => {
  const bench = emptyGroup();
  bench.partition.refusal = 'STORAGE_FULL';
  bench.pass(90_000_000);
  assert.equal([bench.state(), bench.committed()], ['Empty', 5]);
  bench.partition.refusal = null;
  bench.pass(1_000_000);
  assert.is(bench.state(), 'Dead');
  bench.failover();
  assert.equal([bench.state(), bench.committed()], ['Dead', -1]);
});

test('offsets are deleted when nobody reads their topic, for good', () => {
  const bench = new GroupBench();
  // Nobody can say what these members read.
  const { ids, generation } = bench.stable(1);
  const memberId = ids[0] as string;
  bench.commit(5, { memberId, generationId: generation });
  bench.commit(3, { groupId: 'simple' });
  assert.equal(offsetDeletion(bench), [null, 'GROUP_SUBSCRIBED_TO_TOPIC']);
  assert.equal(offsetDeletion(bench, 'nobody'), ['GROUP_ID_NOT_FOUND', undefined]);
  assert.equal(offsetDeletion(bench, ''), ['INVALID_GROUP_ID', undefined]);
  assert.equal(offsetDeletion(bench, 'simple', 'never-committed'), [null, null]);
  assert.equal(offsetDeletion(bench, 'simple'), [null, null]);
  assert.equal([bench.committed(), bench.committed(0, 'simple')], [5, -1]);
  bench.leave([memberId, null]);
  bench.partition.refusal = 'STORAGE_FULL';
  assert.equal(offsetDeletion(bench), ['COORDINATOR_NOT_AVAILABLE', undefined]);
  assert.is(bench.committed(), 5);
  bench.partition.refusal = null;
  assert.equal(offsetDeletion(bench), [null, null]);
  bench.failover();
  assert.equal([bench.committed(), bench.committed(0, 'simple')], [-1, -1]);
  assert.is(bench.state(), 'Empty');
});

test('offsets of a group that is not of consumers are deleted when it is empty', () => {
  const bench = new GroupBench();
  bench.stable(1, { protocolType: 'connect' });
  assert.equal(offsetDeletion(bench), ['NON_EMPTY_GROUP', undefined]);
});

test('positions under the empty name can be deleted, as their group', () => {
  const bench = new GroupBench();
  bench.commit(5, { groupId: '' });
  assert.is(bench.committed(0, ''), 5);
  assert.is(deletionOf(bench, '')(), null);
  bench.failover();
  assert.is(bench.committed(0, ''), -1);
});

test('offsets go with their topic', () => {
  const bench = new GroupBench();
  bench.commit(3, { groupId: 'a' });
  bench.commit(4, { groupId: 'b' });
  bench.coordinator.topicsDeleted(new Set(['t']));
  assert.is(bench.committed(0, 'a'), -1);
  assert.is(bench.committed(0, 'b'), -1);
});

test.run();
