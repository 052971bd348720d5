/**
 * The coordinator of all groups of one partition of __consumer_offsets. It lives in the shard that
 * owns the partition and works while that partition leads.
 *
 *     inactive ──onLeader──▶ loading ──loadSome──▶ active
 *        ▲                      │                     │
 *        └─────────────── onNotLeader ────────────────┘
 *
 * Promises: while loading every answer is COORDINATOR_LOAD_IN_PROGRESS, never an empty offset; what
 * was answered with success is committed by a quorum and is there after any failover (G2, G4);
 * every `done` is called exactly once, NOT_COORDINATOR when leadership goes. Pure: time, ids and
 * the log come in from outside.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import type { Mutant } from '../base/mutant.js';
import type { LeaderEpoch, MonotonicMs } from '../base/units.js';
import { ClassicGroup } from './classic-group.js';
import { CoordinatorSnapshot } from './coordinator-snapshot.js';
import { Deadlines } from './deadlines.js';
import { deadGroup, listGroups } from './group-description.js';
import { type GroupLog, groupErrorOf } from './group-log.js';
import { decodeGroupValue, encodeGroupValue } from './group-records.js';
import type * as api from './group-types.js';
import { joinFailure, syncFailure } from './group-types.js';
import { joinRefusal } from './group-rules.js';
import { Ledger } from './ledger.js';
import {
  type CoordinatorKnobs,
  DEFAULT_KNOBS,
  GROUPS_MAX,
  TEXT_BYTES_MAX,
  TIME_STEP_MS_MAX,
} from './limits.js';
import { Loader } from './loader.js';
import { OffsetExpiry } from './offset-expiry.js';
import {
  allPartitions,
  copyTopics,
  deleteOffsets,
  fetchOffsets,
  planCommit,
  planTopicRemoval,
} from './offset-requests.js';
import type { GroupEnvironment } from './group-environment.js';

export type CoordinatorOptions = {
  readonly log: GroupLog;
  readonly clock: Clock;
  /** Read at each use, so that it may be replaced while groups live. */
  readonly settings: () => api.GroupSettings;
  /** Unique and hard to guess: the end of a member id (a UUID). */
  readonly newId: () => string;
  readonly knobs?: Partial<CoordinatorKnobs>;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

type Done<T> = (response: T) => void;

/** Everything that is dropped when leadership goes. */
type Leadership = {
  readonly leaderEpoch: LeaderEpoch;
  readonly ledger: Ledger;
  readonly loader: Loader;
  readonly snapshot: CoordinatorSnapshot;
  readonly expiry: OffsetExpiry;
  readonly groups: Map<string, ClassicGroup>;
  /** Groups whose record is read and that are not alive yet; null before all is read. */
  toRestore: IterableIterator<string> | null;
  isActive: boolean;
};

export class GroupCoordinator {
  readonly #log: GroupLog;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #knobs: CoordinatorKnobs;
  readonly #deadlines = new Deadlines();
  readonly #env: GroupEnvironment;
  #leadership: Leadership | null = null;
  /** Group time: the monotonic clock without this process's own pauses. */
  #now = 0;
  #lastMs: MonotonicMs;

  constructor(options: CoordinatorOptions) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#newId = options.newId;
    this.#knobs = { ...DEFAULT_KNOBS, ...options.knobs };
    this.#lastMs = options.clock.monotonicMs();
    const { settings, mutant } = options;
    this.#env = {
      get settings(): api.GroupSettings {
        return settings();
      },
      deadlines: this.#deadlines,
      mutant,
      now: () => this.#now,
      wallMs: () => this.#clock.wallMs(),
      store: (groupId, metadata, done) => {
        const value = encodeGroupValue(metadata);
        this.#mustLead().ledger.write([{ kind: 'group', groupId, value }], (error) =>
          done?.(error === null ? null : groupErrorOf(error)),
        );
      },
      onDeserted: (groupId) => this.#forgetIfHollow(groupId),
    };
  }

  get state(): 'inactive' | 'loading' | 'active' {
    if (this.#leadership === null) return 'inactive';
    return this.#leadership.isActive ? 'active' : 'loading';
  }

  // --- life --------------------------------------------------------------------------------

  /**
   * The partition leads and *serves* (the start of this epoch is committed, so that the high
   * watermark covers every acknowledged record). Call {@link loadSome} until it returns true.
   */
  onLeader(leaderEpoch: LeaderEpoch): void {
    if (this.#leadership?.leaderEpoch === leaderEpoch) return;
    this.onNotLeader();
    const ledger = new Ledger(this.#log, this.#knobs);
    this.#leadership = {
      leaderEpoch,
      ledger,
      loader: new Loader(this.#log, ledger),
      snapshot: new CoordinatorSnapshot(this.#log, ledger, this.#knobs),
      expiry: new OffsetExpiry(ledger, (groupId) => this.#takeBack(ledger, groupId)),
      groups: new Map(),
      toRestore: null,
      isActive: false,
    };
  }

  /** Leadership went, or the partition closes: everybody who waits is told NOT_COORDINATOR. */
  onNotLeader(): void {
    const leadership = this.#leadership;
    if (leadership === null) return;
    this.#leadership = null;
    for (const group of leadership.groups.values()) group.kill('NOT_COORDINATOR');
    this.#deadlines.clear();
    leadership.ledger.close('NOT_LEADER');
  }

  /**
   * One bounded step of loading; true when the coordinator is active (or not to be loaded). Throws
   * LograftError('CORRUPT') when a record cannot be read: then nothing is served from it.
   */
  loadSome(): boolean {
    const leadership = this.#leadership;
    if (leadership === null || leadership.isActive) return true;
    if (leadership.toRestore === null) {
      if (!leadership.loader.step(this.#knobs.loadStepBytes)) return false;
      leadership.toRestore = leadership.ledger.groupIds().values();
    }
    for (let i = 0; i < this.#knobs.loadStepGroups; i++) {
      const { value: groupId, done } = leadership.toRestore.next();
      if (done === true) {
        leadership.isActive = true;
        // Group time stood still while loading: sessions begin now.
        this.#lastMs = this.#clock.monotonicMs();
        return true;
      }
      this.#restore(leadership, groupId);
    }
    return false;
  }

  /** Fires deadlines and does a bounded piece of housekeeping. More often than once a second. */
  tick(nowMs: MonotonicMs): void {
    const leadership = this.#leadership;
    if (leadership === null || !leadership.isActive) return;
    this.#advance(nowMs);
    this.#deadlines.expire(this.#now);
    leadership.snapshot.step(this.#now);
    const { offsetsRetentionMs } = this.#env.settings;
    leadership.expiry.step(this.#now, this.#clock.wallMs(), offsetsRetentionMs, leadership.groups);
  }

  /** For metrics; null while it does not serve. */
  get served(): Pick<Leadership, 'groups' | 'ledger'> | null {
    return this.#leadership?.isActive === true ? this.#leadership : null;
  }

  /** For status and tests. */
  stats(): { groups: number; offsets: number; snapshots: number; deadlines: number } {
    const leadership = this.#leadership;
    return {
      groups: leadership?.groups.size ?? 0,
      offsets: leadership?.ledger.offsets.liveCount ?? 0,
      snapshots: leadership?.snapshot.completed ?? 0,
      deadlines: this.#deadlines.size,
    };
  }

  // --- membership --------------------------------------------------------------------------

  join(request: api.JoinRequest & api.ClientContext, done: Done<api.JoinResponse>): void {
    const { groupId, memberId } = request;
    const refusal = this.#refusal(groupId, true) ?? joinRefusal(request, this.#env.settings);
    if (refusal !== null) {
      done(joinFailure(refusal, memberId));
      return;
    }
    const { groups } = this.#mustLead();
    let group = groups.get(groupId);
    if (group === undefined) {
      // A member id that we gave out belongs to a group that we know.
      const error = memberId === '' ? null : 'UNKNOWN_MEMBER_ID';
      if (error !== null || groups.size >= GROUPS_MAX) {
        done(joinFailure(error ?? 'COORDINATOR_NOT_AVAILABLE', memberId));
        return;
      }
      group = this.#createGroup(groupId);
    }
    const { clientId, clientHost } = request;
    group.join(request, { clientId, clientHost }, done);
    this.#forgetIfHollow(groupId);
  }

  sync(request: api.SyncRequest, done: Done<api.SyncResponse>): void {
    const refusal = this.#refusal(request.groupId, true);
    const group = this.#group(request.groupId);
    if (refusal !== null || group === undefined) done(syncFailure(refusal ?? 'UNKNOWN_MEMBER_ID'));
    else group.sync(request, done);
  }

  heartbeat(request: api.HeartbeatRequest, done: Done<api.HeartbeatResponse>): void {
    const refusal = this.#refusal(request.groupId, true);
    const group = this.#group(request.groupId);
    if (refusal !== null || group === undefined) done({ error: refusal ?? 'UNKNOWN_MEMBER_ID' });
    else done({ error: group.heartbeat(request) });
  }

  leave(request: api.LeaveRequest, done: Done<api.LeaveResponse>): void {
    const refusal = this.#refusal(request.groupId, true);
    if (refusal !== null) {
      done({ error: refusal, members: [] });
      return;
    }
    const group = this.#group(request.groupId);
    if (group !== undefined) {
      done(group.leave(request));
      return;
    }
    const error: api.GroupError = 'UNKNOWN_MEMBER_ID';
    done({ error: null, members: request.members.map((member) => ({ ...member, error })) });
  }

  // --- offsets -----------------------------------------------------------------------------

  /** Answered when a quorum has the offsets. */
  commitOffsets(request: api.OffsetCommitRequest, done: Done<api.OffsetCommitResponse>): void {
    const { groupId } = request;
    let refusal = this.#refusal(groupId, false);
    let group = this.#group(groupId);
    if (refusal === null) {
      if (group !== undefined) refusal = group.acceptCommit(request);
      // Who names a generation believes in a group that is not here.
      else if (request.generationId >= 0) refusal = 'ILLEGAL_GENERATION';
      else if (this.#mustLead().groups.size >= GROUPS_MAX) refusal = 'COORDINATOR_NOT_AVAILABLE';
    }
    if (refusal !== null) {
      done(allPartitions(request, refusal));
      return;
    }
    const { ledger } = this.#mustLead();
    const plan = planCommit(request, ledger, this.#env.settings, this.#clock.wallMs());
    if (plan.changes.length === 0) {
      done(plan.answer(null));
      return;
    }
    group ??= this.#createGroup(groupId);
    ledger.write(plan.changes, (error) => done(plan.answer(error)));
  }

  /**
   * Answered after a quorum confirmed this leader, so that every commit acknowledged before the
   * request began is seen, whoever acknowledged it (G4, R13).
   */
  fetchOffsets(request: api.OffsetFetchRequest, done: Done<api.OffsetFetchResponse>): void {
    const { groupId } = request;
    const refusal = this.#refusal(groupId, false);
    const isBlind = this.#env.mutant === 'empty-offset-while-loading' && this.#leadership !== null;
    if (refusal !== null && !isBlind) {
      done({ groupId, error: refusal, topics: [] });
      return;
    }
    const leadership = this.#mustLead();
    const question = { groupId, topics: copyTopics(request.topics) };
    this.#log.confirmLeadership((isLeader) => {
      const isSame = isLeader && this.#leadership === leadership;
      if (isSame) done(fetchOffsets(question, leadership.ledger.offsets));
      else done({ groupId, error: 'NOT_COORDINATOR', topics: [] });
    });
  }

  deleteOffsets(request: api.OffsetDeleteRequest, done: Done<api.OffsetDeleteResponse>): void {
    const refusal = this.#refusal(request.groupId, true);
    if (refusal !== null) {
      done({ error: refusal, topics: [] });
      return;
    }
    deleteOffsets(request, this.#group(request.groupId), this.#mustLead().ledger, done);
  }

  /** Topics that are gone take their offsets along. */
  topicsDeleted(names: ReadonlySet<string>): void {
    const leadership = this.#leadership;
    if (leadership === null || !leadership.isActive) return;
    const changes = planTopicRemoval(names, leadership.ledger);
    if (changes.length > 0) leadership.ledger.write(changes, null);
  }

  // --- views and administration ------------------------------------------------------------

  list(request: api.ListGroupsRequest): api.ListGroupsResponse {
    const leadership = this.#leadership;
    if (leadership === null) return { error: null, groups: [] };
    if (!leadership.isActive) return { error: 'COORDINATOR_LOAD_IN_PROGRESS', groups: [] };
    return { error: null, groups: listGroups(leadership.groups.values(), request) };
  }

  describe({ groupId }: api.GroupNamed, done: Done<api.DescribedGroup>): void {
    const refusal = this.#refusal(groupId, false);
    const group = this.#group(groupId);
    if (refusal !== null || group === undefined) done(deadGroup(groupId, refusal));
    else done(group.describe());
  }

  /** Removes an empty group with its offsets; answered when a quorum has that. */
  deleteGroup({ groupId }: api.GroupNamed, done: Done<api.DeleteGroupResponse>): void {
    const refusal = this.#refusal(groupId, false);
    const group = this.#group(groupId);
    if (refusal !== null || group === undefined) {
      done({ error: refusal ?? 'GROUP_ID_NOT_FOUND' });
      return;
    }
    if (!group.isDeserted) {
      done({ error: 'NON_EMPTY_GROUP' });
      return;
    }
    const { groups, expiry } = this.#mustLead();
    expiry.remove(group, groups, (error) =>
      done({ error: error === null ? null : groupErrorOf(error) }),
    );
  }

  // --- inside ------------------------------------------------------------------------------

  /** Why nothing can be answered for this group now. Also moves group time on. */
  #refusal(groupId: string, needsName: boolean): api.GroupError | null {
    const leadership = this.#leadership;
    if (leadership === null) return 'NOT_COORDINATOR';
    if (!leadership.isActive) return 'COORDINATOR_LOAD_IN_PROGRESS';
    // Old consumers without a group may commit under the empty name, nothing else may use it.
    if (needsName && groupId === '') return 'INVALID_GROUP_ID';
    if (Buffer.byteLength(groupId) > TEXT_BYTES_MAX) return 'INVALID_GROUP_ID';
    this.#advance(this.#clock.monotonicMs());
    return null;
  }

  #advance(nowMs: MonotonicMs): void {
    if (nowMs <= this.#lastMs) return;
    this.#now += Math.min(nowMs - this.#lastMs, TIME_STEP_MS_MAX);
    this.#lastMs = nowMs;
  }

  #mustLead(): Leadership {
    assert(this.#leadership !== null, 'a coordinator that does not lead is asked to work');
    return this.#leadership;
  }

  #group(groupId: string): ClassicGroup | undefined {
    return this.#leadership?.groups.get(groupId);
  }

  #createGroup(groupId: string): ClassicGroup {
    const group = new ClassicGroup(groupId, this.#env, this.#newId);
    this.#mustLead().groups.set(groupId, group);
    return group;
  }

  #restore(leadership: Leadership, groupId: string): void {
    const group = this.#createGroup(groupId);
    const value = leadership.ledger.groupValue(groupId);
    if (value !== null) group.restore(decodeGroupValue(value));
  }

  /** Its removal was not written: it is again what its records say. */
  #takeBack(ledger: Ledger, groupId: string): void {
    const leadership = this.#leadership;
    if (leadership?.ledger !== ledger || leadership.groups.has(groupId)) return;
    this.#restore(leadership, groupId);
  }

  /** A group that is only an entry in our table, with nothing in the log, goes without a trace. */
  #forgetIfHollow(groupId: string): void {
    if (this.#leadership === null) return;
    const { groups, ledger } = this.#leadership;
    const group = groups.get(groupId);
    if (group === undefined || !group.isDeserted || group.generation > 0) return;
    if (ledger.groupValue(groupId) !== null || ledger.offsets.hasGroup(groupId)) return;
    groups.delete(groupId);
  }
}
