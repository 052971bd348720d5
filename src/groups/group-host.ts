/**
 * The group coordinators of one shard: one for every partition of `__consumer_offsets` that lives
 * here, fed from that partition's leadership and log. Shard thread; loading goes on in steps, so
 * that a long history does not hold up the loop.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import { type GroupKey, groupText, OFFSETS_TOPIC } from '../base/group.js';
import type { MonotonicMs } from '../base/units.js';
import type { Logger } from '../observability/logger.js';
import type { Partition } from '../partition/partition.js';
import { type Checksum, encodeBatch } from '../records/batch.js';
import { GroupCoordinator } from './coordinator.js';
import type { GroupLog } from './group-log.js';
import type { GroupSettings, ListGroupsRequest, ListGroupsResponse } from './group-types.js';

export type GroupHostOptions = {
  readonly clock: Clock;
  readonly settings: GroupSettings;
  readonly newId: () => string;
  /** Bytes of a range of a segment. */
  readonly readRange: (fd: number, filePosition: number, length: number) => Uint8Array;
  readonly crc: Checksum;
  readonly logger: Logger;
};

/** offsets.commit.timeout.ms: how long a coordinator waits for a quorum to take its words. */
const COMMIT_MS_MAX = 5_000;

export class GroupHost {
  readonly #options: GroupHostOptions;
  readonly #coordinators = new Map<string, GroupCoordinator>();
  readonly #loading = new Set<GroupCoordinator>();

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
    this.#load(coordinator);
  }

  /** The coordinator that leads `group` here; undefined when another broker does. */
  find(group: GroupKey): GroupCoordinator | undefined {
    const coordinator = this.#coordinators.get(groupText(group));
    return coordinator?.state === 'inactive' ? undefined : coordinator;
  }

  list(request: ListGroupsRequest): ListGroupsResponse {
    const answers = [...this.#coordinators.values()].map((one) => one.list(request));
    const error = answers.find((answer) => answer.error !== null)?.error ?? null;
    return { error, groups: answers.flatMap(({ groups }) => groups) };
  }

  topicsDeleted(names: ReadonlySet<string>): void {
    for (const coordinator of this.#coordinators.values()) coordinator.topicsDeleted(names);
  }

  tick(nowMs: MonotonicMs): void {
    for (const coordinator of this.#coordinators.values()) coordinator.tick(nowMs);
  }

  #load(coordinator: GroupCoordinator): void {
    if (this.#loading.has(coordinator)) return;
    this.#loading.add(coordinator);
    const step = (): void => {
      let isDone = true;
      try {
        isDone = coordinator.loadSome();
      } catch (error) {
        if (!(error instanceof LograftError)) throw error;
        // Nothing is served from records that cannot be read; another replica may have them whole.
        this.#options.logger.error({ reason: error.message }, 'group coordinator cannot load');
        coordinator.onNotLeader();
      }
      if (isDone) this.#loading.delete(coordinator);
      else setImmediate(step);
    };
    setImmediate(step);
  }

  #make(partition: Partition): GroupCoordinator {
    const { clock, settings, newId } = this.#options;
    return new GroupCoordinator({
      log: this.#logOf(partition),
      clock,
      settings: () => settings,
      newId,
    });
  }

  #logOf(partition: Partition): GroupLog {
    const { clock, crc, readRange } = this.#options;
    return {
      append: (records, done) => {
        const timestamp = clock.wallMs();
        const bytes = encodeBatch({ records: records.map((r) => ({ ...r, timestamp })) }, crc);
        const options = { acks: -1, timeoutMs: COMMIT_MS_MAX, isInternal: true } as const;
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
        if (outcome.data === null) return null;
        assert(outcome.data.kind === 'range', 'a local fetch gives a range');
        const { fd, filePosition, length } = outcome.data.range;
        return readRange(fd, filePosition, length);
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
      confirmLeadership: (done) => partition.replica.confirmLeadership(done),
    };
  }
}
