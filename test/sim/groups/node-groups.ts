/**
 * The group coordinators in one life of a simulated node: the production host on the production
 * partition, with the wiring of the shard thread around it. Loading goes on in turns of the node.
 */
import type { Clock } from '#src/base/clock.js';
import { type GroupKey, OFFSETS_TOPIC } from '#src/base/group.js';
import type { Mutant } from '#src/base/mutant.js';
import type { GroupCoordinator } from '#src/groups/coordinator.js';
import { GroupHost } from '#src/groups/group-host.js';
import type {
  HeartbeatRequest,
  HeartbeatResponse,
  JoinRequest,
  JoinResponse,
  LeaveRequest,
  LeaveResponse,
  ClientContext,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetFetchRequest,
  OffsetFetchResponse,
  SyncRequest,
  SyncResponse,
} from '#src/groups/group-types.js';
import { crc32c } from '#src/native/crc32c.js';
import type { Partition } from '#src/partition/partition.js';
import { branchLogger } from '../node-parts.js';
import type { SimNode } from '../sim-node.js';
import type { World } from '../world.js';
import type { GroupJudge, Verdict } from './group-judge.js';
import type { CoordinatorPlan } from './group-plan.js';
import type { InternalBatches } from './internal-batches.js';
import type { Observer } from './observer.js';

/** What members may call, with what they say and hear. */
export type GroupCalls = {
  readonly join: [JoinRequest & ClientContext, JoinResponse];
  readonly sync: [SyncRequest, SyncResponse];
  readonly heartbeat: [HeartbeatRequest, HeartbeatResponse];
  readonly leave: [LeaveRequest, LeaveResponse];
  readonly commitOffsets: [OffsetCommitRequest, OffsetCommitResponse];
  readonly fetchOffsets: [OffsetFetchRequest, OffsetFetchResponse];
};
export type GroupCall = keyof GroupCalls;

/** What all nodes share. */
export type Coordination = {
  readonly plan: CoordinatorPlan;
  readonly key: GroupKey;
  readonly judge: GroupJudge;
  readonly batches: InternalBatches;
  readonly observer: Observer;
  readonly world: World;
};

/** Ticks of the shard between two of its coordinators. */
const HOUSEKEEPING_TICKS = 5;
const DAY_MS = 86_400_000;

export class NodeGroups {
  readonly #o: Coordination;
  readonly #node: SimNode;
  readonly #clock: Clock;
  readonly #host: GroupHost;
  readonly #life: number;
  #ticks = 0;
  #ids = 0;
  #lives = 0;

  constructor(shared: Coordination, node: SimNode, clock: Clock, mutant: Mutant | undefined) {
    const { world, plan } = shared;
    this.#o = shared;
    this.#node = node;
    this.#clock = clock;
    this.#life = node.life;
    this.#host = new GroupHost({
      clock,
      settings: {
        groupMinSessionTimeoutMs: 1,
        groupMaxSessionTimeoutMs: DAY_MS,
        groupInitialRebalanceDelayMs: plan.initialDelayMs,
        groupMaxSize: 100,
        offsetMetadataMaxBytes: 4_096,
        offsetsRetentionMs: 7 * DAY_MS,
      },
      newId: () => `${node.nodeId}.${this.#life}.${++this.#ids}`,
      readRange: (fd, filePosition, length) => {
        return new Uint8Array(node.disk.readFd(fd, filePosition, length));
      },
      crc: crc32c,
      logger: branchLogger(world, node.nodeId),
      later: (run) => this.#later(run),
      knobs: plan.knobs,
      mutant,
    });
  }

  /** Whatever a coordinator gives to the partition is known before it can be in a log. */
  opened(partition: Partition): void {
    if (partition.topic !== OFFSETS_TOPIC) return;
    const { replica } = partition;
    const proposeLogStart = replica.proposeLogStart.bind(replica);
    replica.proposeLogStart = (offset) => {
      this.#o.world.branch('group-snapshot');
      return proposeLogStart(offset);
    };
    const produce = partition.produce.bind(partition);
    partition.produce = (bytes, start, length, options, done) => {
      this.#o.batches.add(bytes, start);
      produce(bytes, start, length, options, done);
    };
  }

  leadershipChanged(partition: Partition): void {
    if (partition.topic !== OFFSETS_TOPIC) return;
    const before = this.#find();
    this.#host.leadershipChanged(partition);
    const after = this.#find();
    if (after?.state === 'loading' && before?.state !== 'loading') this.#noteLoad(partition);
  }

  /** As the shard thread does when it keeps house. */
  tick(): void {
    if (++this.#ticks % HOUSEKEEPING_TICKS !== 0) return;
    this.#host.tick(this.#clock.monotonicMs());
  }

  /** A member's call; null: the process ended before, or another node coordinates. */
  ask<C extends GroupCall>(
    call: C,
    request: GroupCalls[C][0],
    answer: (response: GroupCalls[C][1] | null) => void,
  ): void {
    type Response = GroupCalls[C][1];
    const { world } = this.#o;
    const node = this.#node;
    let verdict: Verdict<Response> | null = null;
    const work = (finish: (response: Response | null) => void): void => {
      const coordinator = this.#find();
      if (coordinator === undefined) {
        world.branch('group-elsewhere');
        return finish(null);
      }
      verdict = this.#judgeOf(call, request);
      // Each method takes and gives exactly what `GroupCalls` says of it.
      const method = coordinator[call].bind(coordinator) as (
        request: GroupCalls[C][0],
        done: (response: Response) => void,
      ) => void;
      method(request, (response) => node.tell(() => finish(response)));
    };
    node.request(work, (response: Response | null) => {
      verdict?.(response);
      answer(response);
    });
  }

  #judgeOf<C extends GroupCall>(
    call: C,
    request: GroupCalls[C][0],
  ): Verdict<GroupCalls[C][1]> | null {
    const { judge } = this.#o;
    type AnyVerdict = Verdict<GroupCalls[C][1]>;
    switch (call) {
      case 'join':
        return judge.joins(request as JoinRequest) as AnyVerdict;
      case 'sync':
        return judge.syncs(request as SyncRequest) as AnyVerdict;
      case 'commitOffsets':
        return judge.commits(request as OffsetCommitRequest) as AnyVerdict;
      case 'fetchOffsets':
        return judge.fetches(request as OffsetFetchRequest) as AnyVerdict;
      default:
        return null;
    }
  }

  #find(): GroupCoordinator | undefined {
    return this.#host.find(this.#o.key);
  }

  #later(run: () => void): void {
    const { world } = this.#o;
    const node = this.#node;
    world.after(this.#o.plan.loadStepMs, () => {
      if (this.#life === node.life) node.turn(run);
    });
  }

  #noteLoad({ replica }: Partition): void {
    const { world } = this.#o;
    const node = this.#node;
    const isFirst = this.#lives++ === 0;
    world.branch(isFirst ? 'group-load' : 'group-load-again');
    if (replica.highWatermark > 0) world.branch('group-load-after-failover');
    this.#o.observer.onLoad(node);
    world.note(`coordinator ${node.nodeId} epoch ${replica.leaderEpoch}`);
  }
}
