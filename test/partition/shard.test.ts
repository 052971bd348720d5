/**
 * A broken promise costs one partition. A leader that lies (nothing of ours does) tells a follower
 * to cut what is committed: that replica stops and says both numbers, its neighbours serve on.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ORIGIN, type Position } from '#src/base/position.js';
import type { VoterId } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import { effectiveConfigs } from '#src/control/topic-config.js';
import { Wal } from '#src/log/wal.js';
import type { Logger } from '#src/observability/logger.js';
import { Shard, type PartitionSpec } from '#src/partition/shard.js';
import type { Append, Slice } from '#src/raft/messages.js';
import { DEFAULT_RAFT_KNOBS } from '#src/raft/raft-config.js';
import { stampBatch } from '#src/native/batch.js';
import { makeBatch } from '../handlers/kit.js';
import { defaultSettings } from '#src/broker/settings.js';
import { MemoryDisk } from '../log/memory-disk.js';
import { HandClock } from '../log/support.js';

const VOTERS = [1, 2, 3].map((nodeId) => ({ nodeId, directoryId: `directory-${nodeId}` }));
const [SELF, LEADER, LIAR] = VOTERS as [VoterId, VoterId, VoterId];

const CONFIGS = effectiveConfigs({}, { defaults: defaultSettings(), explicit: {} });

type Line = Readonly<Record<string, unknown>>;

class Bench {
  readonly disk = new MemoryDisk();
  readonly errors: Line[] = [];
  readonly shard: Shard;

  constructor() {
    const note = (line: Line): void => void this.errors.push(line);
    const quiet = (): void => undefined;
    this.disk.makeDirectory('/node');
    this.shard = new Shard({
      self: SELF,
      directory: '/node',
      disk: this.disk,
      wal: Wal.open({ disk: this.disk, directory: '/node/wal', fileBytes: 65_536 }),
      transport: { send: () => true },
      clock: new HandClock(),
      random: new Prng(1),
      knobs: { raft: DEFAULT_RAFT_KNOBS, tickMs: 50, replicaLagMsMax: 500 },
      logger: { info: quiet, warn: quiet, error: note } as unknown as Logger,
      isCleanStop: false,
      isPageCacheLost: false,
      freeBytesMin: 0,
      producerExpirationMs: 60_000,
      retentionCheckMs: 60_000,
      scrubIntervalMs: 60_000,
      onLeadership: quiet,
      onDamaged: quiet,
      wantTurn: quiet,
    });
  }

  open(partition: number): PartitionSpec {
    const group = { topicId: 'c2hhcmR0ZXN0c2hhcmR0ZXN0', partition };
    const spec = { group, topic: 'orders', isInternal: false, configs: CONFIGS, voters: VOTERS };
    this.shard.open(spec);
    return spec;
  }

  /** The first entries of an epoch: its mark and one batch, all of them committed. */
  lead({ group }: PartitionSpec, from: VoterId, term: number, prev: Position = ORIGIN): void {
    const batch = makeBatch();
    stampBatch(batch, 0, prev.offset, term);
    const start = { offset: prev.offset, marks: prev.marks + 1 };
    const end = { offset: prev.offset + 1, marks: start.marks };
    const slices: Slice[] = [
      { kind: 'mark', mark: { kind: 'epoch-start', epoch: term, at: prev } },
      { kind: 'batches', from: start, to: end, epoch: term, byteLength: batch.length },
    ];
    const append: Append = {
      ...{ type: 'append', from, to: SELF, term, round: 1, slices, commit: end, remembered: 0 },
      ...{ prevPosition: prev, prevEpoch: prev.marks === 0 ? -1 : term - 1 },
    };
    this.shard.receive(group, append, batch, 0);
    this.shard.turn();
    this.disk.drain();
    this.shard.turn();
  }
}

test('an order to cut what is committed stops that partition, with both numbers', () => {
  const bench = new Bench();
  const [lied, other] = [bench.open(0), bench.open(1)];
  for (const spec of [lied, other]) bench.lead(spec, LEADER, 1);
  const partition = bench.shard.find(lied.group);
  assert.is(partition?.replica.highWatermark, 1);

  bench.lead(lied, LIAR, 2);
  assert.match(String(partition?.failure), /committed entries are never cut \(R10\)/);
  assert.is(partition?.log.logEnd.offset, 1, 'nothing was cut');
  const [line] = bench.errors;
  assert.is(bench.errors.length, 1);
  assert.match(String(line?.['error']), /"epoch":2,"own":1,"commit":"1\+1"/);

  const neighbour = bench.shard.find(other.group);
  bench.lead(other, LIAR, 2, { offset: 1, marks: 1 });
  assert.is(neighbour?.failure, null);
  assert.is(neighbour?.replica.highWatermark, 2, 'the rest of the shard goes on');
  bench.shard.tick();
});

test.run();
