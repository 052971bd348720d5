/**
 * The group coordinators of one shard: one for every partition of `__consumer_offsets` that lives
 * here, fed from that partition's leadership and log. Shard thread; loading goes on in steps, so
 * that a long history does not hold up the loop.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import { type GroupKey, groupText, OFFSETS_TOPIC } from '../base/group.js';
import type { Mutant } from '../base/mutant.js';
import type { MonotonicMs } from '../base/units.js';
import type { Logger } from '../observability/logger.js';
import type { Partition } from '../partition/partition.js';
import { readSoundBytes, type ReadRange } from '../partition/range-bytes.js';
import { type Checksum, encodeBatch } from '../records/batch.js';
import { GroupCoordinator } from './coordinator.js';
import { type GroupsFacts, groupFacts } from './group-facts.js';
import type { GroupLog } from './group-log.js';
import type { GroupSettings, ListGroupsRequest, ListGroupsResponse } from './group-types.js';
import type { CoordinatorKnobs } from './limits.js';

export type GroupHostOptions = {
  readonly clock: Clock;
  readonly settings: GroupSettings;
  readonly newId: () => string;
  /** Bytes of a range of a segment. */
  readonly readRange: ReadRange;
  readonly crc: Checksum;
  readonly logger: Logger;
  /** Runs the next step of loading after other work had its turn. */
  readonly later: (run: () => void) => void;
  readonly knobs?: Partial<CoordinatorKnobs>;
  /** Tests only: a classical mistake. */
  readonly mutant?: Mutant | undefined;
};

/** offsets.commit.timeout.ms: how long a coordinator waits for a quorum to take its words. */
const COMMIT_MS_MAX = 5_000;
/** A log that could not be read is read again after so long. */
const LOAD_AGAIN_MS = 1_000;

type Stuck = { readonly partition: Partition; readonly againAtMs: MonotonicMs };

export class GroupHost {
  readonly #options: GroupHostOptions;
  readonly #coordinators = new Map<string, GroupCoordinator>();
  readonly #loading = new Set<GroupCoordinator>();
  /** Their logs could not be read. */
  readonly #stuck = new Map<GroupCoordinator, Stuck>();

  constructor(options: GroupHostOptions) {
    this.#options = options;
  }

  /** Role, epoch or serving state of a partition of this shard changed, or it closed. */
  leadershipChanged(partition: Partition): void {
    if (partition.topic !== OFFSETS_TOPIC) return;
    const key = groupText(partition.group);
    const { replica } = partition;
    if (partition.failure !== null || !replica.isServing) {
      this.#coordinators.get(key)?.onNotLeader();
      if (partition.failure !== null) this.#coordinators.delete(key);
      return;
    }
    let coordinator = this.#coordinators.get(key);
    if (coordinator === undefined) {
      coordinator = this.#make(partition);
      this.#coordinators.set(key, coordinator);
    }
    coordinator.onLeader(replica.leaderEpoch);
    this.#load(coordinator, partition);
  }

  /** The coordinator that leads `group` here; undefined when another broker does. */
  find(group: GroupKey): GroupCoordinator | undefined {
    const coordinator = this.#coordinators.get(groupText(group));
    return coordinator?.state === 'inactive' ? undefined : coordinator;
  }

  list(request: ListGroupsRequest): ListGroupsResponse {
    return joinLists([...this.#coordinators.values()].map((one) => one.list(request)));
  }

  facts(groupsMax: number): GroupsFacts {
    return groupFacts(this.#coordinators.values(), groupsMax);
  }

  topicsDeleted(names: ReadonlySet<string>): void {
    for (const coordinator of this.#coordinators.values()) coordinator.topicsDeleted(names);
  }

  tick(nowMs: MonotonicMs): void {
    for (const [coordinator, { partition, againAtMs }] of this.#stuck) {
      if (nowMs >= againAtMs) this.#load(coordinator, partition);
    }
    for (const coordinator of this.#coordinators.values()) coordinator.tick(nowMs);
  }

  #load(coordinator: GroupCoordinator, partition: Partition): void {
    if (this.#loading.has(coordinator)) return;
    this.#loading.add(coordinator);
    this.#stuck.delete(coordinator);
    const step = (): void => {
      let isDone = true;
      try {
        isDone = coordinator.loadSome();
      } catch (error) {
        if (!(error instanceof LograftError)) throw error;
        this.#cannotLoad(coordinator, partition, error);
      }
      if (isDone) this.#loading.delete(coordinator);
      else this.#options.later(step);
    };
    this.#options.later(step);
  }

  /** Nothing is served from records that cannot be read; another replica may have them whole. */
  #cannotLoad(coordinator: GroupCoordinator, partition: Partition, error: LograftError): void {
    const { logger, clock } = this.#options;
    logger.error({ reason: error.message }, 'group coordinator cannot load');
    this.#stuck.set(coordinator, {
      partition,
      againAtMs: clock.monotonicMs() + LOAD_AGAIN_MS,
    });
    partition.replica.transferLeadership();
  }

  #make(partition: Partition): GroupCoordinator {
    const { clock, settings, newId, knobs = {}, mutant } = this.#options;
    return new GroupCoordinator({
      log: this.#logOf(partition),
      clock,
      settings: () => settings,
      newId,
      knobs,
      mutant,
    });
  }

  #logOf(partition: Partition): GroupLog {
    const { clock, crc, readRange, mutant } = this.#options;
    const acks = mutant === 'offset-commit-acked-before-commit' ? 1 : -1;
    const isTrusting = mutant === 'offset-fetch-unconfirmed';
    return {
      append: (records, done) => {
        const timestamp = clock.wallMs();
        const bytes = encodeBatch({ records: records.map((r) => ({ ...r, timestamp })) }, crc);
        const options = { acks, timeoutMs: COMMIT_MS_MAX, isInternal: true } as const;
        partition.produce(bytes, 0, bytes.length, options, ({ error, baseOffset }) => {
          done(error, baseOffset);
        });
      },
      read: (offset, maxBytes) => {
        const outcome = partition.fetchNow({
          offset,
          maxBytes,
          isFirst: true,
          currentLeaderEpoch: -1,
        });
        const { data, error } = outcome;
        if (error === 'STORAGE_FAILED' || error === 'STORAGE_FULL') {
          throw new LograftError(error, 'the log of the group coordinator cannot be read');
        }
        if (data === null) return null;
        assert(data.kind === 'range', 'a local fetch gives a range');
        return readSoundBytes(data.range, readRange, crc);
      },
      get logStartOffset() {
        return partition.log.logStartOffset;
      },
      get highWatermark() {
        return partition.replica.highWatermark;
      },
      proposeLogStart: (offset) => {
        partition.replica.proposeLogStart(offset);
      },
      confirmLeadership: (done) => {
        if (isTrusting) done(true);
        else partition.replica.confirmLeadership(done);
      },
    };
  }
}

/** The groups of several coordinators; an error of one of them is the answer. */
export function joinLists(lists: readonly ListGroupsResponse[]): ListGroupsResponse {
  const error = lists.find((list) => list.error !== null)?.error ?? null;
  return { error, groups: lists.flatMap(({ groups }) => groups) };
}
