/**
 * What members of consumer groups are told, judged when the answer leaves its broker: stricter than
 * when it arrives. It reads requests and answers and knows nothing of members or brokers. The rules
 * are those of the history checker (G1 to G5); here a broken one ends the run.
 */
import type {
  JoinRequest,
  JoinResponse,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetFetchRequest,
  OffsetFetchResponse,
  SyncRequest,
  SyncResponse,
} from '#src/groups/group-types.js';
import { Commits } from '../../chaos/history/commits.js';
import { Groups } from '../../chaos/history/groups.js';
import type { Report } from '../../chaos/history/violation.js';
import { Violation, type World } from '../world.js';
import { decodeAssignment, partitionName, seatOf } from './wire.js';

/** How a call ended: its answer, or null when nobody will know. */
export type Verdict<Response> = (response: Response | null) => void;

/** Errors of a commit that was refused before anything was appended. */
const DEFINITE: ReadonlySet<string> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'REBALANCE_IN_PROGRESS',
]);

type Acked = { readonly offset: number; readonly atCall: number };

export class GroupJudge {
  /** Commits that were acknowledged. */
  acked = 0;
  readonly #world: World;
  readonly #groups: Groups;
  readonly #commits: Commits;
  #ops = 0;
  /** Furthest acknowledged commit of each partition of a group: G5. */
  readonly #floors = new Map<string, Acked>();
  /** Token of a commit → the call that brought it. */
  readonly #calls = new Map<string, number>();
  /** `group seat` → ids that a newer one of the same static member took the place of. */
  readonly #replaced = new Map<string, Set<string>>();
  readonly #newest = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
    const report: Report = (id, text) => {
      throw new Violation(id, text);
    };
    this.#groups = new Groups(report);
    this.#commits = new Commits(report, this.#groups);
  }

  joins({ groupId, groupInstanceId }: JoinRequest): Verdict<JoinResponse> {
    const op = this.#ask(groupId);
    return (response) => {
      if (response === null || response.error !== null) return this.#groups.gaveUp(op);
      const { generationId: generation, memberId } = response;
      const leader = seatOf(response.leader);
      this.#groups.joined({ kind: 'joined', op, generation, leader });
      this.#world.mix(generation);
      if (groupInstanceId !== null) this.#noteStatic(groupId, groupInstanceId, memberId);
    };
  }

  /** A static member that was started anew took its place from the one before. */
  #noteStatic(groupId: string, instanceId: string, memberId: string): void {
    const seat = `${groupId} ${instanceId}`;
    const newest = this.#newest.get(seat);
    const replaced = this.#replaced.get(seat) ?? new Set();
    this.#replaced.set(seat, replaced);
    if (replaced.has(memberId)) {
      throw new Violation('G1', `${seat}: ${memberId} is back after ${newest ?? 'another'}`);
    }
    if (newest !== undefined && newest !== memberId) replaced.add(newest);
    this.#newest.set(seat, memberId);
  }

  syncs({ groupId, generationId, memberId }: SyncRequest): Verdict<SyncResponse> {
    const op = this.#ask(groupId);
    return (response) => {
      if (response === null || response.error !== null) return this.#groups.gaveUp(op);
      const owned = decodeAssignment(response.assignment);
      this.#groups.assigned({
        kind: 'assigned',
        op,
        generation: generationId,
        member: seatOf(memberId),
        partitions: owned.map(partitionName),
        atMs: this.#world.nowMs,
      });
      for (const partition of owned) this.#world.mix(partition);
    };
  }

  commits(request: OffsetCommitRequest): Verdict<OffsetCommitResponse> {
    const { groupId, generationId, memberId, groupInstanceId } = request;
    const call = ++this.#ops;
    const isReplaced = this.#replaced.get(`${groupId} ${groupInstanceId}`)?.has(memberId) ?? false;
    const begun = new Map(
      (request.topics[0]?.partitions ?? []).map((each) => {
        const partition = partitionName(each.partitionIndex);
        const op = ++this.#ops;
        const token = each.committedMetadata ?? '';
        const offset = each.committedOffset;
        this.#calls.set(token, call);
        const generation = generationId;
        const event = { op, group: groupId, partition, offset, token, generation };
        this.#commits.commit({ kind: 'commit', ...event });
        return [each.partitionIndex, event];
      }),
    );
    return (response) => {
      for (const [partitionIndex, { op, partition, offset }] of begun) {
        const answered = response?.topics[0]?.partitions;
        const found = answered?.find((each) => each.partitionIndex === partitionIndex);
        if (response === null) this.#commits.unknown({ kind: 'commit-unknown', op });
        else if (found === undefined) throw new Violation('G4', `${groupId}: half an answer`);
        else if (found.error === null) {
          this.#commits.committed({ kind: 'committed', op });
          if (isReplaced) throw new Violation('G3', `${groupId}: ${memberId} was replaced`);
          this.#acknowledge(`${groupId} ${partition}`, offset);
        } else if (DEFINITE.has(found.error)) {
          this.#commits.refused({ kind: 'commit-refused', op });
        } else this.#commits.unknown({ kind: 'commit-unknown', op });
      }
    };
  }

  #acknowledge(register: string, offset: number): void {
    this.acked++;
    this.#world.mix(offset);
    const floor = this.#floors.get(register);
    if (floor !== undefined && floor.offset > offset) return;
    this.#floors.set(register, { offset, atCall: this.#ops });
  }

  fetches({ groupId, topics }: OffsetFetchRequest): Verdict<OffsetFetchResponse> {
    const begun = (topics?.[0]?.partitionIndexes ?? []).map((partitionIndex) => {
      const op = ++this.#ops;
      const partition = partitionName(partitionIndex);
      this.#commits.positionAsked({ kind: 'position-asked', op, group: groupId, partition });
      return { op, partitionIndex, floor: this.#floors.get(`${groupId} ${partition}`) };
    });
    return (response) => {
      const answered = response?.error === null ? response.topics[0]?.partitions : undefined;
      for (const { op, partitionIndex, floor } of begun) {
        const found = answered?.find((each) => each.partitionIndex === partitionIndex);
        if (found === undefined || found.error !== null) {
          if (response?.error === null) throw new Violation('G4', `${groupId}: half an answer`);
          this.#commits.positionGaveUp({ kind: 'position-gave-up', op });
          continue;
        }
        const { committedOffset: offset, metadata: token } = found;
        this.#commits.position({ kind: 'position', op, offset, token });
        this.#checkFloor(`${groupId} ${partitionName(partitionIndex)}`, offset, token, floor);
        this.#world.mix(offset);
      }
    };
  }

  /** Whoever owns a partition goes on from what was acknowledged: positions only rise here. */
  #checkFloor(register: string, offset: number, token: string, floor: Acked | undefined): void {
    if (floor === undefined || offset >= floor.offset) return;
    // A commit that was late on its way may overwrite a later one's: it came after that ack.
    if ((this.#calls.get(token) ?? 0) > floor.atCall) return;
    throw new Violation('G5', `${register}: read ${offset}, acknowledged was ${floor.offset}`);
  }

  /** A member worked on the records [from, to). */
  reads(group: string, partitionIndex: number, from: number, to: number): void {
    const partition = partitionName(partitionIndex);
    this.#groups.read({ kind: 'group-read', group, partition, from, to });
  }

  /** The newest generation that has owners. */
  generationOf(group: string): number {
    return this.#groups.assignedIn(group);
  }

  #ask(group: string): number {
    const op = ++this.#ops;
    this.#groups.asked({ kind: 'group-asked', op, group });
    return op;
  }
}
