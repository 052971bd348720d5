/**
 * What the checkers see of one replica on one node, over all its lives: its log's entries, whom it
 * calls leader, what it calls committed, and how it ended. Looked at after every turn, so a look
 * that finds nothing new costs a few comparisons.
 */
import { comparePositions, ORIGIN, type Position } from '#src/base/position.js';
import type { Partition } from '#src/partition/partition.js';
import type { Ghost, Link, Witness } from './checker.js';
import { LogWatch } from './log-watch.js';
import type { SimGroup, SimNode, SimNodeOptions } from './sim-node.js';
import { Violation, type World } from './world.js';

const NO_LINKS: readonly Link[] = [];

export class ReplicaWatch implements Witness {
  readonly group: SimGroup;
  partition: Partition | null = null;
  readonly ghosts: Ghost[] = [];
  /** Ended by a disk error. */
  hasDiskFailed = false;
  readonly #node: SimNode;
  readonly #world: World;
  readonly #others: () => readonly SimNode[];
  #log: LogWatch | null = null;
  #committed: Position = ORIGIN;
  #ledTerm = -1;
  #isCached = false;

  constructor(node: SimNode, group: SimGroup, { world, others }: SimNodeOptions) {
    this.#node = node;
    this.group = group;
    this.#world = world;
    this.#others = others;
  }

  get nodeId(): number {
    return this.#node.nodeId;
  }

  get isVoter(): boolean {
    return !this.#node.isStranger;
  }

  get term(): number {
    return this.partition?.replica.leaderEpoch ?? -1;
  }

  /** Also while the node is down: what its disk held when it went. */
  get links(): readonly Link[] {
    return this.#log?.links ?? NO_LINKS;
  }

  get durableEnd(): Position {
    if (this.#log === null) return ORIGIN;
    return this.#isCached ? this.#log.cachedEnd : this.#log.durableEnd;
  }

  opened(partition: Partition): void {
    const { log } = partition;
    this.partition = partition;
    this.hasDiskFailed = false;
    this.#ledTerm = -1;
    if (log.isForgetful) this.#world.branch('forgetful');
    const { checker } = this.group;
    this.#log = new LogWatch(this.nodeId, this.#node.disk, log, checker, this.#world, this.#log);
    this.#isCached = log.config.durability === 'cached';
    this.#committed = log.logStart;
    const { logStart, logEnd } = log;
    this.#world.note(`open ${this.nodeId} ${JSON.stringify([logStart, logEnd])}`);
  }

  closed(): void {
    // The next open may find the damage, and give up what was durable when it was said.
    if (this.#node.isDamaged) this.spoil(false);
    this.partition = null;
  }

  /** The disk lost, or may have lost, what it held durably; what was said before still counts. */
  spoil(isWiped: boolean): void {
    this.ghosts.push({ links: [...this.links], durableEnd: this.durableEnd });
    if (isWiped) this.#log = null;
  }

  look(): void {
    const { partition } = this;
    if (partition === null || this.hasDiskFailed) return;
    const { replica } = partition;
    const isLeader = replica.role === 'leader';
    const term = replica.leaderEpoch;
    if (!isLeader) this.#ledTerm = -1;
    else if (this.#ledTerm !== term) {
      this.group.checker.onLeader(this, term);
      this.#ledTerm = term;
    }
    const commit = replica.commitPosition;
    if (commit !== this.#committed && comparePositions(commit, this.#committed) > 0) {
      const from = this.#committed;
      this.#committed = commit;
      const { index, checker } = this.group;
      const all = this.#others().map((node) => node.watches[index] as ReplicaWatch);
      checker.onCommit(this, from, commit, term, isLeader, all);
    }
    if (replica.failure !== null) this.#onFailure(replica.failure);
  }

  #onFailure(error: Error): void {
    // A checker that spoke within the replica's own turn.
    if (error instanceof Violation) throw error;
    const { code } = error as { code?: string };
    const isRot = code === 'CORRUPT' && this.#node.isDamaged;
    if (isRot) this.#world.branch('stopped-at-damage');
    if (code !== 'STORAGE_FAILED' && !isRot) {
      throw new Violation('assert', `node ${this.nodeId}: ${error.stack}`);
    }
    this.#world.branch('disk-failed');
    this.hasDiskFailed = true;
  }
}
