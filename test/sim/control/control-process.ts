/**
 * One life of a simulated broker's process: a main thread and shard threads on the same disk, and
 * the words between them, as `src/broker` joins them.
 */
import type { Clock } from '#src/base/clock.js';
import type { VoterId } from '#src/base/group.js';
import { shardOf } from '#src/base/hash.js';
import type { Prng } from '#src/base/prng.js';
import type { FoundingMessage } from '#src/broker/founding.js';
import { readMetaProperties, writeMetaProperties } from '#src/control/meta-properties.js';
import type { ControlMessage } from '#src/control/messages.js';
import { settleWals } from '#src/log/wal-shards.js';
import type { WriteBehind } from '#src/log/write-behind.js';
import type { Logger } from '#src/observability/logger.js';
import type { PeerTransport } from '#src/replication/replica.js';
import type { MemoryDisk } from '../../log/memory-disk.js';
import type { SimMutant } from '../mutant.js';
import { branchLogger, writeBehind } from '../node-parts.js';
import { Violation, type World } from '../world.js';
import type { ControlHistory } from './control-history.js';
import { ControlMain } from './control-main.js';
import type { ControlPlan } from './control-plan.js';
import { ControlShard } from './control-shard.js';
import { ControlShards } from './control-shards.js';
import { ThreadPort } from './thread-port.js';
import { uuidFrom } from './uuid.js';

export const DIRECTORY = '/data';

export type Process = {
  readonly main: ControlMain;
  readonly shards: ControlShards;
  /** The disk as the threads see it. They share one: each has files of its own. */
  readonly files: WriteBehind;
};

export type ProcessOptions = {
  readonly self: VoterId;
  readonly voterIds: readonly number[];
  readonly plan: ControlPlan;
  readonly world: World;
  readonly disk: MemoryDisk;
  readonly clock: Clock;
  readonly random: Prng;
  readonly history: ControlHistory;
  readonly mutant: SimMutant | undefined;
  /** How many shard threads this life has. */
  readonly shardCount: number;
  /** How the life before ended. */
  readonly lastEnd: 'killed' | 'power' | 'clean';
  readonly peers: PeerTransport;
  readonly sendControl: (to: number, message: ControlMessage | FoundingMessage) => boolean;
  readonly isLinked: (nodeId: number) => boolean;
  /** Runs something as a turn of this life. */
  readonly schedule: (delayMs: number, run: () => void) => void;
  /** Runs something at the end of this turn. */
  readonly soon: (run: () => void) => void;
  /** The process must end. */
  readonly onFailed: (error: Error) => void;
};

/** Log lines that count under their own words, whatever kind of thing they are about. */
const NAMED = new Set(['replica of a deleted topic removed']);

export function makeProcess(options: ProcessOptions): Process {
  const { self, plan, world, disk, clock, random, history, mutant, schedule } = options;
  const { clusterId } = takeIdentity(disk, self);
  const ports = { random: random.fork(), delayMsMax: plan.control.threadMsMax, schedule, world };
  const files = writeBehind(disk, clock, world, mutant);
  const common = {
    ...{ plan, self, disk: files, clock, history, directory: DIRECTORY, mutant: mutant?.inSource },
    logger: loggerOf(options),
    peers: options.peers,
    branch: (name: string) => world.branch(name),
    isPageCacheLost: options.lastEnd === 'power',
  };
  const { shardCount, soon, sendControl, isLinked, voterIds, onFailed } = options;
  const indexes = Array.from({ length: shardCount }, (_, index) => index);
  const toMain = indexes.map(() => new ThreadPort(ports));
  const toShard = indexes.map(() => new ThreadPort(ports));
  const toAll = (run: (shard: ControlShard) => void): void => {
    for (const [i, shard] of shards.all.entries()) toShard[i]?.post(() => run(shard));
  };
  const makeShard = (index: number): ControlShard =>
    new ControlShard({
      ...{ ...common, index, shards: shardCount, random: random.fork() },
      deletesOrphans: mutant?.deletesOrphans ?? false,
      isCleanStop: options.lastEnd === 'clean',
      later: (run) => schedule(0, run),
      onLeadership: (facts) => toMain[index]?.post(() => main.control?.announceLeaders(facts)),
      onReconciled: (offset, unopened) => {
        toMain[index]?.post(() => {
          main.control?.setReconciled(main.readiness.shardFollowed(index, offset, unopened));
        });
      },
    });
  const hasMoved = settleWals({
    disk,
    root: `${DIRECTORY}/wal`,
    shards: shardCount,
    ownerOf: ({ topicId, partition }) => shardOf(topicId, partition, shardCount),
    fileBytes: plan.control.walBytes,
  });
  if (hasMoved) world.branch('shards-changed');
  const shards = new ControlShards(indexes.map(makeShard));
  const main: ControlMain = new ControlMain({
    ...{ ...common, random: random.fork(), voterIds, clusterId, shards: shardCount },
    ...{ soon, sendControl, isLinked, onFailed, newUuid: () => uuidFrom(random) },
    onImage: (delta, isCurrent) => toAll(({ view }) => view.follow({ delta, isCurrent })),
    onLeaders: (entries) => toAll(({ view }) => void view.leaders.merge(entries)),
    barrier: (done) => {
      let waiting = shardCount;
      const arrived = (): void => {
        waiting--;
        if (waiting === 0) done();
      };
      for (const [i, port] of toShard.entries()) port.post(() => toMain[i]?.post(arrived));
    },
    transfer: ({ to, ...group }) => {
      toAll(({ shard }) => shard.find(group)?.replica.transferLeadership(to));
    },
  });
  return { main, shards, files };
}

function takeIdentity(disk: MemoryDisk, self: VoterId): { clusterId: string | null } {
  const known = readMetaProperties(disk, DIRECTORY);
  if (known === null) {
    const fresh = { ...self, clusterId: null };
    writeMetaProperties(disk, DIRECTORY, fresh);
    return fresh;
  }
  if (known.directoryId === self.directoryId) return known;
  throw new Violation('L3', `node ${self.nodeId} finds the directory ${known.directoryId}`);
}

function loggerOf(options: ProcessOptions): Logger {
  const { world, history, self } = options;
  const logger = branchLogger(world, self.nodeId);
  return {
    ...logger,
    info: (fields, message) => {
      logger.info(fields, message);
      if ('kind' in fields && NAMED.has(message)) world.branch(message);
      if (message !== 'this node is controller') return;
      history.onController(self.nodeId, (fields as { leaderEpoch: number }).leaderEpoch);
    },
    child: () => loggerOf(options),
  };
}
