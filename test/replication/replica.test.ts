/** The driver on real logs: what is written, synced, sent and told, and how it ends badly. */
import type { Position } from '#src/base/position.js';
import type { StateSnapshots } from '#src/replication/replica.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { append, batch, ReplicaCluster } from './replica-cluster.js';

test('a sole voter leads, commits and never shows a mark to readers', () => {
  const cluster = new ReplicaCluster(1);
  const { replica, log } = cluster.elect();
  assert.is(replica.highWatermark, 0);
  assert.is(replica.logEnd.marks, 1);
  const member = cluster.member(1);
  assert.is(append(member, 'a', 3), 0);
  assert.is(append(member, 'b'), 3);
  assert.is(replica.highWatermark, 0);
  cluster.run();
  assert.is(replica.highWatermark, 4);
  assert.is(replica.localSyncedOffset, 4);
  assert.is(log.logEnd.offset, 4);
});

test('three replicas agree; followers hear of batches, commits and who leads', () => {
  const cluster = new ReplicaCluster(3);
  const leader = cluster.elect();
  append(leader, 'a', 2);
  cluster.tick(3);
  for (const { replica, told } of cluster.members) {
    assert.is(replica.leaderId, leader.nodeId);
    assert.is(replica.highWatermark, 2);
    assert.ok(told.includes('appended 0') && told.includes('committed 2'));
    assert.ok(told.includes('mark epoch-start'));
  }
  assert.equal(leader.replica.inSync().length, 3);
  const follower = cluster.members.find((member) => member !== leader);
  assert.equal(follower?.replica.inSync(), []);
});

test('only a leader appends, and refusals are definite', () => {
  const cluster = new ReplicaCluster(3);
  const leader = cluster.elect();
  const follower = cluster.members.find((member) => member !== leader) ?? leader;
  assert.throws(
    () => append(follower, 'x'),
    (error: { code?: string }) => error.code === 'NOT_LEADER',
  );
  assert.is(follower.log.logEnd.offset, 0);
});

test('nothing is acknowledged before a majority has it on disk', () => {
  const cluster = new ReplicaCluster(3);
  const leader = cluster.elect();
  append(leader, 'a');
  cluster.run(false);
  assert.is(leader.replica.highWatermark, 0);
  leader.disk.drain();
  cluster.run(false);
  assert.is(leader.replica.highWatermark, 0, 'its own disk alone is no majority');
  assert.is(leader.replica.localSyncedOffset, 1);
  const follower = cluster.members.find((member) => member !== leader);
  follower?.disk.drain();
  cluster.run(false);
  assert.is(leader.replica.highWatermark, 1);
});

test('a new leader serves nothing before it shows all that was committed before', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  append(old, 'a', 5);
  cluster.run();
  assert.is(old.replica.highWatermark, 5);
  const others = cluster.members.filter((member) => member !== old);
  assert.equal(
    others.map(({ replica }) => replica.highWatermark),
    [0, 0],
    'the old leader goes before it says so',
  );
  cluster.lost.add(old.nodeId);
  const seen: number[] = [];
  // A client's question may come behind the very answer that commits the epoch start.
  cluster.onReceived = ({ replica }) => {
    if (replica.isServing) seen.push(replica.highWatermark);
  };
  for (let i = 0; i < 100 && seen.length === 0; i++) cluster.tick(1);
  assert.ok(seen.length > 0);
  assert.is(Math.min(...seen), 5);
});

test('cached batches count when written; marks and votes still wait for the disk', () => {
  const cluster = new ReplicaCluster(3, { durability: 'cached' });
  cluster.tick(40, false);
  assert.ok(
    cluster.members.every(({ replica }) => replica.role !== 'leader'),
    'votes are synced',
  );
  const leader = cluster.elect();
  append(leader, 'a');
  cluster.run(false);
  assert.is(leader.replica.highWatermark, 1);
});

test('a payload that was changed on the way is refused, and comes again', () => {
  const cluster = new ReplicaCluster(3);
  const leader = cluster.elect();
  let left = 2;
  cluster.tamper = (message, payload) => {
    if (message.type !== 'append' || payload.length === 0 || left-- <= 0) return;
    payload[payload.length - 1] = (payload.at(-1) ?? 0) ^ 1;
  };
  append(leader, 'a');
  cluster.run();
  const refused = cluster.members.filter(({ told }) => told.includes('append-refused'));
  assert.is(refused.length, 2);
  cluster.tick(8);
  assert.ok(cluster.members.every(({ log }) => log.logEnd.offset === 1));
  assert.is(leader.replica.highWatermark, 1);
});

test('a deposed leader loses what it alone had, and says where', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  append(old, 'kept');
  cluster.run();
  cluster.lost.add(old.nodeId);
  append(old, 'alone');
  cluster.run();
  for (let i = 0; i < 60; i++) cluster.tick(1);
  const leader = cluster.leader;
  append(leader, 'instead');
  cluster.tick(1);
  assert.is(leader.replica.highWatermark, 2);
  cluster.lost.clear();
  cluster.tick(10);
  assert.ok(old.told.includes('truncated 1'));
  assert.is(old.replica.role, 'follower');
  assert.is(old.replica.highWatermark, 2);
});

test('leadership is confirmed by a round begun after the question, or denied', () => {
  const cluster = new ReplicaCluster(3);
  const leader = cluster.elect();
  const answers: boolean[] = [];
  leader.replica.confirmLeadership((isConfirmed) => answers.push(isConfirmed));
  assert.equal(answers, []);
  cluster.run();
  assert.equal(answers, [true]);
  for (const { nodeId } of cluster.members) if (nodeId !== leader.nodeId) cluster.lost.add(nodeId);
  leader.replica.confirmLeadership((isConfirmed) => answers.push(isConfirmed));
  cluster.tick(30);
  assert.equal(answers, [true, false]);
  assert.is(leader.replica.role, 'follower');
  leader.replica.confirmLeadership((isConfirmed) => answers.push(isConfirmed));
  assert.equal(answers, [true, false, false]);
});

test('leadership moves on request within a few messages', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  append(old, 'a');
  assert.ok(old.replica.transferLeadership());
  assert.throws(
    () => append(old, 'b'),
    (error: { code?: string }) => error.code === 'NOT_LEADER',
  );
  cluster.run();
  assert.is.not(cluster.leader, old);
  assert.is(cluster.leader.replica.highWatermark, 1);
});

test('a full disk refuses definitely, leadership moves, and all is well with space', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  append(old, 'a');
  cluster.tick(2);
  old.disk.capacityBytes = 0;
  assert.throws(
    () => append(old, 'b'),
    (error: { code?: string }) => error.code === 'STORAGE_FULL',
  );
  assert.is(old.log.logEnd.offset, 1);
  cluster.run();
  const leader = cluster.leader;
  assert.is.not(leader, old);
  append(leader, 'c');
  cluster.tick(4);
  assert.is(leader.replica.highWatermark, 2);
  assert.is(old.log.logEnd.offset, 1);
  assert.is(old.replica.failure, null);
  old.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  cluster.tick(8);
  assert.is(old.log.logEnd.offset, 2);
});

test('with room again a replica leads again, and need not wait for it', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  old.disk.capacityBytes = 0;
  assert.throws(() => append(old, 'a'));
  cluster.run();
  assert.is.not(cluster.leader, old);
  old.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  cluster.tick(2);
  cluster.leader.replica.transferLeadership(old.nodeId);
  cluster.run();
  assert.is.not(cluster.leader, old, 'nobody has told it');
  cluster.tick(60);
  old.replica.roomAgain();
  cluster.tick(1);
  cluster.leader.replica.transferLeadership(old.nodeId);
  cluster.run();
  assert.is(cluster.leader, old);
});

test('who did not take over when asked is not the next one to be asked', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  const mayLead = (): boolean => true;
  cluster.tick(2);
  assert.is(old.replica.transferLeadership(undefined, mayLead), true);
  // Whoever was asked does not stand; the next transfer goes to the other one.
  for (const { nodeId, replica } of cluster.members) if (nodeId !== old.nodeId) replica.retire();
  cluster.tick(60);
  const asked = old.told.filter((line) => line === 'transfer-abandoned').length;
  assert.is(asked, 1);
  const targets = new Set<number>();
  cluster.tamper = (message) => {
    if (message.type === 'timeout-now') targets.add(message.to.nodeId);
  };
  for (let i = 0; i < 2; i++) {
    assert.is(old.replica.transferLeadership(undefined, mayLead), true);
    cluster.tick(60);
  }
  assert.is(targets.size, 2);
});

test('a failed sync ends the replica for good, and nothing is acknowledged', () => {
  const cluster = new ReplicaCluster(3);
  const old = cluster.elect();
  old.disk.failSync = /./;
  append(old, 'a');
  cluster.run();
  assert.ok(old.told.some((line) => line.startsWith('failed STORAGE_FAILED')));
  assert.is(old.replica.role, 'follower');
  assert.is(old.replica.leaderId, -1);
  old.disk.failSync = null;
  cluster.tick(60);
  assert.is.not(cluster.leader, old);
  assert.is(old.told.filter((line) => line.startsWith('failed')).length, 1);
});

test('the log start moves on every replica after its mark is committed', () => {
  const cluster = new ReplicaCluster(3);
  const leader = cluster.elect();
  append(leader, 'a', 4);
  cluster.run();
  assert.ok(leader.replica.proposeLogStart(2));
  cluster.tick(3);
  for (const { told } of cluster.members) assert.ok(told.includes('mark log-start'));
});

test('a follower below the log start gets the captured state in pieces, then the log', () => {
  const state = Buffer.alloc(600_000, 's');
  const installed: { at: Position; bytes: number }[] = [];
  const snapshots = (nodeId: number): StateSnapshots => ({
    capture: () => ({ position: cluster.member(nodeId).replica.commitPosition, bytes: state }),
    install: (at, bytes) => {
      assert.ok(Buffer.from(bytes).equals(state));
      installed.push({ at, bytes: bytes.length });
    },
  });
  const cluster: ReplicaCluster = new ReplicaCluster(3, { snapshots });
  const leader = cluster.elect();
  const late = cluster.members.find((member) => member !== leader) ?? leader;
  cluster.lost.add(late.nodeId);
  for (let i = 0; i < 5; i++) append(leader, `a${i}`, 2);
  cluster.run();
  assert.is(leader.replica.highWatermark, 10);
  leader.log.trimTo(10);
  append(leader, 'behind');
  cluster.tick(2);
  cluster.lost.clear();
  cluster.tick(20);
  assert.equal(installed, [
    { at: { offset: 11, marks: late.replica.logEnd.marks }, bytes: 600_000 },
  ]);
  assert.ok(late.told.includes('reset'));
  append(leader, 'after');
  cluster.tick(4);
  assert.is(late.replica.highWatermark, 12);
  assert.is(late.log.logEnd.offset, 12);
});

test('a snapshot that finds no room leaves the log as it was, and comes again', () => {
  const state = Buffer.from('state');
  const place = { isFull: true, refused: 0, installed: 0 };
  const snapshots = (nodeId: number): StateSnapshots => ({
    capture: () => ({ position: cluster.member(nodeId).replica.commitPosition, bytes: state }),
    install: () => {
      place.refused += place.isFull ? 1 : 0;
      if (place.isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      place.installed++;
    },
  });
  const cluster: ReplicaCluster = new ReplicaCluster(3, { snapshots });
  const leader = cluster.elect();
  const late = cluster.members.find((member) => member !== leader) ?? leader;
  append(leader, 'shared', 3);
  cluster.tick(2);
  const before = late.replica.logEnd;
  cluster.lost.add(late.nodeId);
  for (let i = 0; i < 5; i++) append(leader, `a${i}`, 2);
  cluster.run();
  leader.log.trimTo(13);
  cluster.tick(2);
  cluster.lost.clear();
  cluster.tick(20);
  assert.ok(place.refused > 0);
  assert.is(late.replica.failure, null);
  assert.equal(late.replica.logEnd, before);
  place.isFull = false;
  cluster.tick(20);
  assert.is(place.installed, 1);
  append(leader, 'after');
  cluster.tick(4);
  assert.is(late.replica.highWatermark, 14);
});

test('after a gap in time a leader takes and serves nothing until a quorum has answered', () => {
  const cluster = new ReplicaCluster(3);
  const { replica } = cluster.elect();
  replica.resumedAfterGap();
  assert.not.ok(replica.isServing || replica.mayAppend);
  cluster.run();
  assert.ok(replica.isServing && replica.mayAppend);
});

test('a batch is stamped in place, outside of what its checksum covers', () => {
  const cluster = new ReplicaCluster(1);
  const { replica } = cluster.elect();
  const bytes = batch('stamped', 2);
  const before = Buffer.from(bytes);
  replica.append(bytes, 0, bytes.length);
  assert.is(bytes.readInt32BE(12), replica.leaderEpoch);
  assert.ok(bytes.subarray(16).equals(before.subarray(16)));
});

test.run();
