/**
 * The host of the coordinators on a real shard whose disk misbehaves: what cannot be read, or is
 * not what was written, is never answered from, stops nothing else, and is read again later.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OFFSETS_TOPIC } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import { defaultSettings } from '#src/broker/settings.js';
import { groupSettings } from '#src/broker/knobs.js';
import { effectiveConfigs } from '#src/control/topic-config.js';
import { GroupHost } from '#src/groups/group-host.js';
import type { OffsetFetchResponse } from '#src/groups/group-types.js';
import { Wal } from '#src/log/wal.js';
import { crc32c } from '#src/native/crc32c.js';
import type { Logger } from '#src/observability/logger.js';
import { Shard } from '#src/partition/shard.js';
import { DEFAULT_RAFT_KNOBS } from '#src/raft/raft-config.js';
import { MemoryDisk } from '../log/memory-disk.js';
import { HandClock } from '../log/support.js';

const SELF = { nodeId: 1, directoryId: 'directory-1' };
const GROUP = { topicId: 'Z3JvdXBob3N0Z3JvdXBob3', partition: 0 };
const LOG = `/node/${OFFSETS_TOPIC}-0/00000000000000000000.log`;
const TICK_MS = 50;

/** A node of its own, with nobody to vote but itself. */
class Bench {
  readonly disk = new MemoryDisk();
  readonly clock = new HandClock();
  readonly errors: string[] = [];
  #shard: Shard;
  #host: GroupHost;
  #steps: (() => void)[] = [];

  constructor() {
    this.disk.makeDirectory('/node');
    [this.#shard, this.#host] = this.#start();
  }

  get #logger(): Logger {
    const error = (_fields: object, message: string): void => void this.errors.push(message);
    return { debug: quiet, info: quiet, warn: quiet, error } as unknown as Logger;
  }

  #makeHost(): GroupHost {
    const { clock, disk } = this;
    return new GroupHost({
      clock,
      settings: groupSettings(defaultSettings()),
      newId: () => 'id',
      readRange: (fd, position, length) => new Uint8Array(disk.readFd(fd, position, length)),
      crc: crc32c,
      logger: this.#logger,
      later: (run) => void this.#steps.push(run),
    });
  }

  #start(): [Shard, GroupHost] {
    const { clock, disk } = this;
    const host = this.#makeHost();
    const shard = new Shard({
      self: SELF,
      directory: '/node',
      disk,
      wal: Wal.open({ disk, directory: '/node/wal', fileBytes: 65_536 }),
      transport: { send: () => true },
      clock,
      random: new Prng(1),
      knobs: { raft: DEFAULT_RAFT_KNOBS, tickMs: TICK_MS, replicaLagMsMax: 500 },
      logger: this.#logger,
      isCleanStop: false,
      isPageCacheLost: false,
      freeBytesMin: 0,
      producerExpirationMs: 60_000,
      retentionCheckMs: 60_000,
      // The bench wants to see what is read, not what the scrub finds before.
      scrubIntervalMs: -1,
      onLeadership: (partition) => host.leadershipChanged(partition),
      onDamaged: quiet,
      wantTurn: quiet,
    });
    const configs = effectiveConfigs({}, { defaults: defaultSettings(), explicit: {} });
    shard.open({ group: GROUP, topic: OFFSETS_TOPIC, isInternal: true, configs, voters: [SELF] });
    return [shard, host];
  }

  /** The process ends and begins anew. */
  restart(): void {
    this.disk.crash('all', new Prng(2));
    this.#steps = [];
    [this.#shard, this.#host] = this.#start();
  }

  /** A coordinator that knows nothing, on the log as it is. */
  loadAgain(): void {
    this.#host = this.#makeHost();
    const partition = this.#shard.find(GROUP);
    if (partition !== undefined) this.#host.leadershipChanged(partition);
  }

  pass(ms: number): void {
    for (let i = 0; i < ms / TICK_MS; i++) {
      this.clock.nowMs += TICK_MS;
      this.#shard.tick();
      this.#host.tick(this.clock.nowMs);
      this.#settle();
    }
  }

  #settle(): void {
    for (let i = 0; i < 4; i++) {
      for (const step of this.#steps.splice(0)) step();
      this.#shard.turn();
      this.disk.drain();
    }
  }

  commit(committedOffset: number): string | null {
    const partition = { committedOffset, committedLeaderEpoch: -1, committedMetadata: 'token' };
    let error: string | null = 'no answer';
    this.#host.find(GROUP)?.commitOffsets(
      {
        ...{ groupId: 'readers', generationId: -1, memberId: '', groupInstanceId: null },
        retentionTimeMs: -1,
        topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, ...partition }] }],
      },
      (response) => {
        error = response.topics[0]?.partitions[0]?.error ?? null;
      },
    );
    this.#settle();
    return error;
  }

  deleteGroup(): string | null {
    let answer: string | null = 'no answer';
    this.#host.find(GROUP)?.deleteGroup({ groupId: 'readers' }, ({ error }) => {
      answer = error;
    });
    this.#settle();
    return answer;
  }

  fetch(): number | string {
    let answer: OffsetFetchResponse | null = null;
    const topics = [{ name: 'orders', partitionIndexes: [0] }];
    this.#host.find(GROUP)?.fetchOffsets({ groupId: 'readers', topics }, (response) => {
      answer = response;
    });
    this.#settle();
    return read(answer);
  }
}

function quiet(): void {
  // Nobody needs to hear of it.
}

function read(answer: OffsetFetchResponse | null): number | string {
  if (answer === null) return 'no answer';
  return answer.error ?? answer.topics[0]?.partitions[0]?.committedOffset ?? 'nothing';
}

function benchWithOffset(): Bench {
  const bench = new Bench();
  bench.pass(5_000);
  assert.is(bench.commit(4242), null);
  assert.is(bench.fetch(), 4242);
  bench.restart();
  return bench;
}

test('what was committed is there after a crash, and what was deleted is not', () => {
  const bench = benchWithOffset();
  bench.pass(5_000);
  assert.is(bench.fetch(), 4242);
  assert.is(bench.deleteGroup(), null);
  bench.restart();
  bench.pass(5_000);
  assert.is(bench.fetch(), -1);
  assert.is(bench.deleteGroup(), 'GROUP_ID_NOT_FOUND');
});

test('a disk that cannot be read while a coordinator loads stops nothing and is read again', () => {
  const bench = benchWithOffset();
  bench.disk.failRead = /__consumer_offsets.*\.log$/;
  bench.pass(5_000);
  assert.is(bench.fetch(), 'COORDINATOR_LOAD_IN_PROGRESS');
  assert.ok(bench.errors.includes('group coordinator cannot load'));
  bench.disk.failRead = null;
  bench.pass(2_000);
  assert.is(bench.fetch(), 4242);
});

test('bytes that have changed on the disk are never taken for positions', () => {
  const bench = benchWithOffset();
  bench.pass(5_000);
  const at = bench.disk.contents(LOG).indexOf(Buffer.from([0, 0, 0, 0, 0, 0, 16, 146]));
  assert.ok(at > 0, 'the offset lies in the log');
  bench.disk.flipBit(LOG, at + 6);
  bench.loadAgain();
  bench.pass(5_000);
  assert.is(bench.fetch(), 'COORDINATOR_LOAD_IN_PROGRESS');
  // A peer's bytes take the place of the damaged ones.
  bench.disk.flipBit(LOG, at + 6);
  bench.pass(2_000);
  assert.is(bench.fetch(), 4242);
});

test.run();
