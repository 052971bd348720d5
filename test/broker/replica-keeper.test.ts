/** The keeper of replicas with a slow disk: what it does while the image goes on. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { LocalReplicas } from '#src/broker/local-replicas.js';
import { ReplicaKeeper } from '#src/broker/replica-keeper.js';
import { defaultSettings } from '#src/broker/settings.js';
import { applyRecord, type ClusterImage } from '#src/control/image.js';
import type { MetadataRecord } from '#src/control/records.js';
import { Wal } from '#src/log/wal.js';
import type { Logger } from '#src/observability/logger.js';
import { Shard } from '#src/partition/shard.js';
import { DEFAULT_RAFT_KNOBS } from '#src/raft/raft-config.js';
import { createRecord, directoryOf, idOf, imageWithBrokers } from '../control/fixtures.js';
import { MemoryDisk } from '../log/memory-disk.js';
import { HandClock } from '../log/support.js';

const SELF = { nodeId: 1, directoryId: directoryOf(1) };
const TOPIC = idOf('large', 1);
const PARTITIONS = 50;
const nothing = (): void => undefined;

/** Each look at the clock takes a while, so that a slice of work is a few steps. */
class SlowClock extends HandClock {
  override monotonicMs(): number {
    this.nowMs += 3;
    return this.nowMs;
  }
}

class Bench {
  readonly disk = new MemoryDisk();
  readonly shard: Shard;
  readonly keeper: ReplicaKeeper;
  readonly #later: (() => void)[] = [];
  #image: ClusterImage = imageWithBrokers(3);

  constructor() {
    const { disk } = this;
    const logger = { info: nothing, warn: nothing, error: nothing } as unknown as Logger;
    disk.makeDirectory('/node');
    const wal = Wal.open({ disk, directory: '/node/wal', fileBytes: 65_536 });
    this.shard = new Shard({
      ...{ self: SELF, directory: '/node', disk, wal, logger },
      ...{ isCleanStop: false, isPageCacheLost: false, freeBytesMin: 0 },
      ...{ producerExpirationMs: 60_000, retentionCheckMs: 60_000, scrubIntervalMs: 60_000 },
      ...{ onLeadership: nothing, onDamaged: nothing, wantTurn: nothing },
      transport: { send: () => true },
      clock: new HandClock(),
      random: new Prng(1),
      knobs: { raft: DEFAULT_RAFT_KNOBS, tickMs: 50, replicaLagMsMax: 500 },
    });
    this.keeper = new ReplicaKeeper({
      ...{ index: 0, shards: 1, self: SELF, wal, logger, shard: this.shard },
      clock: new SlowClock(),
      local: new LocalReplicas(disk, '/node', logger),
      defaults: { defaults: defaultSettings(), explicit: {} },
      wish: () => ({ image: this.#image, isCurrent: true }),
      later: (run) => void this.#later.push(run),
      onSettled: nothing,
    });
  }

  get open(): number {
    return [...this.shard.partitions].length;
  }

  record(record: MetadataRecord): void {
    this.#image = applyRecord(this.#image, record);
    this.keeper.look([TOPIC]);
  }

  /** Slices, one at most when told so; how many replicas were ever open. */
  work(slicesMax = Number.POSITIVE_INFINITY): number {
    let most = this.open;
    for (let i = 0; i < slicesMax; i++) {
      const run = this.#later.shift();
      if (run === undefined) break;
      run();
      most = Math.max(most, this.open);
    }
    return most;
  }
}

test('a topic that is deleted while it is made is not made to its end', () => {
  const bench = new Bench();
  bench.record(createRecord('large', TOPIC, PARTITIONS, [1, 2, 3]));
  while (bench.open < 5) bench.work(1);
  bench.record({ kind: 'delete-topic', topicId: TOPIC });
  const most = bench.work();
  assert.ok(most < PARTITIONS / 2, `${most} were open`);
  assert.is(bench.open, 0);
  assert.equal(bench.disk.list('/node'), ['wal']);
});

test('a topic whose config changes while it is made is made to its end', () => {
  const bench = new Bench();
  bench.record(createRecord('large', TOPIC, PARTITIONS, [1, 2, 3]));
  while (bench.open < 5) bench.work(1);
  const configs = { 'retention.ms': '1000' };
  bench.record({ kind: 'topic-configs', topicId: TOPIC, configs });
  bench.work();
  assert.is(bench.open, PARTITIONS);
  for (const { log } of bench.shard.partitions) assert.is(log.config.retentionMs, 1_000);
});

test.run();
