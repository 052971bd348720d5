/**
 * The control plane on the real thing: Raft replicas, partition logs and write-ahead logs, joined
 * by an in-memory network, on disks in memory and a virtual clock.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { METADATA_GROUP, type VoterId } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import { metadataLog } from '#src/broker/metadata-log.js';
import { ControlPlane } from '#src/control/control-plane.js';
import { liveBrokers } from '#src/control/image.js';
import type { ControlMessage } from '#src/control/messages.js';
import { logConfigOf } from '#src/log/log-config.js';
import { PartitionLog } from '#src/log/partition-log.js';
import { Wal } from '#src/log/wal.js';
import { silentLogger } from '#src/observability/logger.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { DEFAULT_RAFT_KNOBS } from '#src/raft/raft-config.js';
import { Replica } from '#src/replication/replica.js';
import { MemoryDisk } from '../log/memory-disk.js';
import { decisionContext, directoryOf, imageHash } from './fixtures.js';

const STEP_MS = 10;
const FOLDER = '/node/__cluster_metadata-0';
const VOTERS: readonly VoterId[] = [1, 2, 3].map((nodeId) => ({
  nodeId,
  directoryId: directoryOf(nodeId),
}));

type Process = {
  readonly control: ControlPlane;
  readonly replica: Replica;
  readonly log: PartitionLog;
  readonly wal: Wal;
};

class Group {
  nowMs = 1_000;
  readonly disks = VOTERS.map(() => new MemoryDisk());
  readonly processes: (Process | null)[] = VOTERS.map(() => null);
  #wire: (() => void)[] = [];
  #ids = 0;
  readonly failures: Error[] = [];

  readonly clock = { monotonicMs: () => this.nowMs, wallMs: () => 1_700_000_000_000 + this.nowMs };

  #control(nodeId: number, disk: MemoryDisk): ControlPlane {
    return new ControlPlane({
      self: VOTERS[nodeId - 1] as VoterId,
      broker: {
        incarnation: `run-${nodeId}-${++this.#ids}`,
        kafka: { host: '127.0.0.1', port: 9091 + nodeId },
        peer: { host: '127.0.0.1', port: 9191 + nodeId },
        rack: null,
        shards: 1,
      },
      clusterId: null,
      settings: { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 500, snapshotBytesMax: 20_000 },
      topics: { ...decisionContext(), newTopicId: () => `topic-${++this.#ids}` },
      newUuid: () => `uuid-${++this.#ids}`,
      clock: this.clock,
      transport: { sendControl: (to, message) => this.#sendControl(nodeId, to, message) },
      disk,
      directory: FOLDER,
      events: {
        onImage: () => {},
        onLeaders: () => {},
        onState: () => {},
        onFailed: (error) => this.failures.push(error),
        barrier: (done) => done(),
      },
      logger: silentLogger,
      soon: queueMicrotask,
    });
  }

  start(nodeId: number): void {
    const self = VOTERS[nodeId - 1] as VoterId;
    const disk = this.disks[nodeId - 1] as MemoryDisk;
    const { clock } = this;
    const wal = Wal.open({ disk, directory: '/node/wal' });
    const log = PartitionLog.open({
      disk,
      directory: FOLDER,
      ...METADATA_GROUP,
      config: logConfigOf('__cluster_metadata', { 'segment.bytes': '16384' }),
      wal,
      clock,
      isCleanStop: false,
      isPageCacheLost: false,
    });
    const control = this.#control(nodeId, disk);
    const replica = new Replica({
      group: METADATA_GROUP,
      self,
      voters: VOTERS,
      log,
      wal,
      transport: {
        send: (to, _group, message, ranges) => {
          const parts = ranges.map(({ fd, filePosition, length }) => {
            const bytes = Buffer.alloc(length);
            disk.readAt({ fd, path: '' }, filePosition, bytes, 0, length);
            return bytes;
          });
          return this.#send(to, message, Buffer.concat(parts));
        },
      },
      clock,
      random: new Prng(nodeId),
      knobs: {
        raft: { ...DEFAULT_RAFT_KNOBS, isCommitAnnounced: true },
        tickMs: 50,
        replicaLagMsMax: 30_000,
      },
      durability: () => 'synced',
      events: {
        onRole: () => control.onRole(),
        onCommitted: () => control.onCommitted(),
        onAppended: () => {},
        onTruncated: () => {},
        onReset: () => {},
        onMarkCommitted: () => {},
        onFailed: (error) => this.failures.push(error),
        onDirty: () => {},
      },
      snapshots: control.snapshots,
    });
    control.attach(replica, metadataLog(disk, log));
    control.setReady(true);
    this.processes[nodeId - 1] = { control, replica, log, wal };
    for (const other of VOTERS) {
      if (other.nodeId === nodeId) continue;
      const there = this.processes[other.nodeId - 1];
      if (there === null || there === undefined) continue;
      for (const [from, to] of [
        [nodeId, there],
        [other.nodeId, this.of(nodeId)],
      ] as const) {
        to.replica.onLinkUp(from);
        to.control.onLinkUp(from);
      }
    }
  }

  kill(nodeId: number): void {
    const { replica, log, wal } = this.of(nodeId);
    replica.close();
    log.closeAbruptly();
    wal.closeAbruptly();
    this.processes[nodeId - 1] = null;
    for (const process of this.processes) {
      process?.replica.onLinkDown(nodeId);
      process?.control.onLinkDown(nodeId);
    }
  }

  of(nodeId: number): Process {
    const process = this.processes[nodeId - 1];
    assert.ok(process, `node ${nodeId} runs`);
    return process as Process;
  }

  get running(): Process[] {
    return this.processes.filter((process) => process !== null);
  }

  async advance(ms: number, isDone: () => boolean = () => false): Promise<void> {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs && !isDone(); ) {
      this.nowMs += STEP_MS;
      for (const deliver of this.#wire.splice(0)) deliver();
      for (const { replica, control } of this.running) {
        if (this.nowMs % 50 === 0) replica.tick();
        control.tick();
      }
      for (let round = 0; round < 4; round++) {
        for (const { replica } of this.running) if (replica.isDirty) replica.drain();
        for (const disk of this.disks) disk.drain();
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (this.failures.length > 0) throw this.failures[0];
    }
  }

  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.advance(30_000, () => isSettled);
    return promise;
  }

  create(nodeId: number, name: string): Promise<unknown> {
    const topic = { name, partitions: 3, replicationFactor: 3, assignments: null, configs: {} };
    const op = { kind: 'createTopics', topics: [topic], isValidateOnly: false } as const;
    return this.of(nodeId)
      .control.request(op, 10_000)
      .then(({ value }) => assert.is(value[0]?.error, null, `${name}: ${value[0]?.message}`));
  }

  assertSame(): void {
    const hashes = this.running.map(({ control }) => imageHash(control.image));
    assert.is(new Set(hashes).size, 1);
  }

  #send(to: number, message: RaftMessage, bytes: Buffer): boolean {
    if (this.processes[to - 1] === null) return false;
    const copy = structuredClone(message);
    this.#wire.push(() => this.processes[to - 1]?.replica.receive(copy, bytes, 0));
    return true;
  }

  #sendControl(from: number, to: number, message: ControlMessage): boolean {
    if (this.processes[to - 1] === null) return false;
    const copy = structuredClone(message);
    this.#wire.push(() => this.processes[to - 1]?.control.onControl(from, copy));
    return true;
  }
}

test('real replicas: form, kill the controller, fall behind a snapshot, restart all', async () => {
  const group = new Group();
  for (const { nodeId } of VOTERS) group.start(nodeId);
  const isLive = (count: number) => () =>
    group.running.every(({ control }) => liveBrokers(control.image).length === count);
  await group.advance(5_000, isLive(3));
  assert.ok(isLive(3)(), 'three live brokers');
  await group.until(group.create(2, 'first'));

  const controllerId = group.of(1).control.controllerId;
  assert.ok(controllerId >= 1);
  group.kill(controllerId);
  const survivor = controllerId === 1 ? 2 : 1;
  await group.until(group.create(survivor, 'after-failover'));
  for (let round = 0; round < 12; round++) {
    const names = Array.from({ length: 40 }, (_, i) => `topic-${round}-${i}`);
    await group.until(Promise.all(names.map((name) => group.create(survivor, name))));
  }
  await group.advance(200);
  const leader = group.of(group.of(survivor).control.controllerId);
  assert.ok(leader.log.logStartOffset > 20, `trimmed to ${leader.log.logStartOffset}`);

  group.start(controllerId);
  await group.advance(5_000, isLive(3));
  await group.advance(300);
  assert.is(group.of(controllerId).control.image.topics.size, 2 + 480);
  assert.ok(group.of(controllerId).log.logStartOffset > 20, 'it was sent a snapshot');
  group.assertSame();

  const { clusterId } = group.of(1).control.image;
  for (const { nodeId } of VOTERS) group.kill(nodeId);
  for (const { nodeId } of VOTERS) group.start(nodeId);
  await group.until(group.create(1, 'after-restart'));
  await group.advance(5_000, isLive(3));
  await group.advance(300);
  assert.is(group.of(3).control.image.topics.size, 2 + 480 + 1);
  assert.is(group.of(3).control.image.clusterId, clusterId);
  group.assertSame();
});

test('a leader that restarts sends its snapshot to the one it needs for a majority', async () => {
  const group = new Group();
  for (const { nodeId } of VOTERS) group.start(nodeId);
  const isComplete = (): boolean => liveBrokers(group.of(1).control.image).length === 3;
  await group.advance(5_000, isComplete);
  await group.until(group.create(1, 'first'));
  const late = group.of(1).control.controllerId;
  const [survivor = 0, other = 0] = VOTERS.map(({ nodeId }) => nodeId).filter((id) => id !== late);
  group.kill(late);
  for (let round = 0; round < 6; round++) {
    const names = Array.from({ length: 40 }, (_, i) => `topic-${round}-${i}`);
    await group.until(Promise.all(names.map((name) => group.create(survivor, name))));
  }
  await group.advance(200);
  const { log } = group.of(survivor);
  assert.ok(log.logStartOffset > 20, `trimmed to ${log.logStartOffset}`);
  group.kill(survivor);
  group.kill(other);

  // Nothing commits before the late one has the snapshot, and its log knows of no commit so late.
  group.start(survivor);
  group.start(late);
  await group.until(group.create(late, 'after-restart'));
  assert.is(group.of(late).control.image.topics.size, 2 + 240);
  group.assertSame();
});

test.run();
