/** How offsets and groups go: by age, by request, with their topic. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GROUP, GroupBench } from './group-bench.js';

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

test('groups are deleted when empty, offsets when nobody reads their topic', () => {
  const bench = new GroupBench();
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  const { ids } = bench.stable(1);
  bench.commit(3, { groupId: 'simple' });
  bench.coordinator.deleteGroup('nobody', note);
  bench.coordinator.deleteGroup(GROUP, note);
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0 }] }];
  bench.coordinator.deleteOffsets({ groupId: GROUP, topics }, ({ topics: [t] }) =>
    note(t?.partitions[0]?.error),
  );
  bench.coordinator.deleteOffsets({ groupId: 'simple', topics }, ({ topics: [t] }) =>
    note(t?.partitions[0]?.error),
  );
  assert.is(bench.committed(0, 'simple'), -1);
  bench.leave([ids[0] as string, null]);
  bench.coordinator.deleteGroup(GROUP, note);
  assert.equal(errors, [
    'GROUP_ID_NOT_FOUND',
    'NON_EMPTY_GROUP',
    'GROUP_SUBSCRIBED_TO_TOPIC',
    null,
    null,
  ]);
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
