/**
 * A consumer as its client library drives it: joins, assigns when it leads, syncs, heartbeats,
 * rejoins when told. What it is told is noted in a ledger shared by all, which judges it.
 */
import * as assert from 'uvu/assert';
import type { JoinResponse, OffsetCommitResponse, SyncResponse } from '#src/groups/group-types.js';
import { type Answer, commitError, type GroupBench, type JoinOptions } from './group-bench.js';

export const PARTITIONS = 6;

/** The judge: what members were told, over all coordinators. */
export class Witness {
  /** Highest generation any member was told (G2). */
  generation = 0;
  lastAcked = -1;
  nextValue = 0;
  /** Generation → who leads it; generation and partition → the member that was given it (G1). */
  readonly #leaders = new Map<number, string>();
  readonly #owners = new Map<string, string>();

  sawJoin({ error, generationId: generation, leader }: JoinResponse): void {
    if (error !== null) return;
    assert.ok(generation >= this.generation, `G2: ${generation} after ${this.generation}`);
    this.generation = generation;
    const name = nameOf(leader);
    assert.is(this.#leaders.get(generation) ?? name, name, 'G2: one round per generation');
    this.#leaders.set(generation, name);
  }

  sawAssignment(generation: number, memberId: string, partitions: readonly string[]): void {
    for (const partition of partitions) {
      const key = `${generation}/${partition}`;
      const name = nameOf(memberId);
      assert.is(this.#owners.get(key) ?? name, name, `G1: two owners of ${key}`);
      this.#owners.set(key, name);
    }
  }
}

/** A restarted static member is the same owner under a new id. */
function nameOf(memberId: string): string {
  return memberId.startsWith('static') ? memberId.slice(0, memberId.indexOf('-')) : memberId;
}

type PendingCommit = {
  readonly answer: Answer<OffsetCommitResponse>;
  readonly value: number;
  readonly isStale: boolean;
};

export class SimulatedMember {
  memberId = '';
  generation = -1;
  /** Null while it holds no current assignment. */
  partitions: readonly string[] | null = null;
  readonly #bench: GroupBench;
  readonly #witness: Witness;
  readonly #options: JoinOptions;
  #join: Answer<JoinResponse> | null = null;
  #sync: Answer<SyncResponse> | null = null;
  #mustJoin = true;
  #assignments: Record<string, string> = {};
  #commits: PendingCommit[] = [];

  constructor(bench: GroupBench, witness: Witness, options: JoinOptions) {
    this.#bench = bench;
    this.#witness = witness;
    this.#options = options;
  }

  /** One turn of its loop. */
  step(): void {
    this.#readCommits();
    if (this.#join !== null) this.#readJoin(this.#join);
    else if (this.#sync !== null) this.#readSync(this.#sync);
    else if (this.#mustJoin) this.#join = this.#bench.join(this.memberId, this.#options);
    else if (this.partitions === null) this.#askForAssignment();
    else this.#heartbeat();
  }

  commit(): void {
    if (this.generation < 0) return;
    const value = this.#witness.nextValue++;
    const isStale = this.generation < this.#witness.generation;
    const { memberId, generation: generationId } = this;
    this.#commits.push({
      answer: this.#bench.commit(value, { memberId, generationId }),
      value,
      isStale,
    });
    this.#readCommits();
  }

  leave(): void {
    if (this.memberId !== '') this.#bench.leave([this.memberId, this.#options.instanceId ?? null]);
    this.connectionLost();
    this.#forget();
  }

  /** Its coordinator died: what it waits for will never come. */
  connectionLost(): void {
    this.#join = null;
    this.#sync = null;
    this.#readCommits();
    this.#commits = [];
  }

  #readJoin(answer: Answer<JoinResponse>): void {
    const response = answer.value;
    if (response === null) return;
    this.#join = null;
    if (response.error === 'MEMBER_ID_REQUIRED') this.memberId = response.memberId;
    else if (response.error === 'UNKNOWN_MEMBER_ID' || response.error === 'FENCED_INSTANCE_ID') {
      this.#forget();
    }
    if (response.error !== null) return;
    this.memberId = response.memberId;
    this.generation = response.generationId;
    this.#mustJoin = false;
    this.#assignments = {};
    response.members.forEach(({ memberId }, i) => {
      const own = Array.from({ length: PARTITIONS }, (_, p) => p).filter(
        (p) => p % response.members.length === i,
      );
      this.#assignments[memberId] = own.join(',');
    });
  }

  #askForAssignment(): void {
    const instanceId = this.#options.instanceId ?? null;
    this.#sync = this.#bench.sync(this.memberId, this.generation, this.#assignments, instanceId);
    this.#readSync(this.#sync);
  }

  #readSync(answer: Answer<SyncResponse>): void {
    const response = answer.value;
    if (response === null) return;
    this.#sync = null;
    if (response.error !== null) {
      this.#lost(response.error);
      return;
    }
    const text = response.assignment.toString();
    this.partitions = text === '' ? [] : text.split(',');
    this.#witness.sawAssignment(this.generation, this.memberId, this.partitions);
  }

  #heartbeat(): void {
    const instanceId = this.#options.instanceId ?? null;
    const error = this.#bench.heartbeat(this.memberId, this.generation, instanceId);
    if (error !== null) this.#lost(error);
  }

  #lost(error: string): void {
    this.partitions = null;
    if (error === 'REBALANCE_IN_PROGRESS' || error === 'ILLEGAL_GENERATION') this.#mustJoin = true;
    else if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') this.#forget();
    else this.#mustJoin = true;
  }

  #forget(): void {
    this.memberId = '';
    this.generation = -1;
    this.partitions = null;
    this.#mustJoin = true;
  }

  #readCommits(): void {
    this.#commits = this.#commits.filter(({ answer, value, isStale }) => {
      if (answer.value === null) return true;
      if (commitError(answer) !== null) return false;
      assert.not(isStale, 'G3: a commit of an old generation was acknowledged');
      this.#witness.lastAcked = Math.max(this.#witness.lastAcked, value);
      return false;
    });
  }
}
