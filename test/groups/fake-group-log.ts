/**
 * A partition of __consumer_offsets as a list of real batches, with the leaders that come and go.
 * Records are committed when the test says so, or at once; a failover keeps or loses what was not.
 */
import { encodeBatch, nextOffsetOf, readBatchHeader } from '#src/records/batch.js';
import { iterateRecords } from '#src/records/records.js';
import type { AppendDone, GroupLog } from '#src/groups/group-log.js';
import type { CoordinatorRecord } from '#src/groups/group-records.js';

type Waiting = { readonly end: number; readonly baseOffset: number; readonly done: AppendDone };

export class FakePartition {
  batches: Buffer[] = [];
  logStartOffset = 0;
  highWatermark = 0;
  logEndOffset = 0;
  /** Commit each append before it returns. */
  isInstant = true;
  /** Refuse appends with this error. */
  refusal: string | null = null;
  proposals: number[] = [];
  reads = 0;
  #leader = 0;
  #waiting: Waiting[] = [];

  /** A new leader: the ones before it fail from now on. */
  elect(): GroupLog {
    this.#leader += 1;
    this.#waiting = [];
    const leaderEpoch = this.#leader;
    const partition = this;
    return {
      append: (records, done) => partition.#append(leaderEpoch, records, done),
      read: (from, maxBytes) => partition.#read(from, maxBytes),
      get logStartOffset() {
        return partition.logStartOffset;
      },
      get highWatermark() {
        return partition.highWatermark;
      },
      proposeLogStart: (offset) => partition.#proposeLogStart(leaderEpoch, offset),
      confirmLeadership: (done) => done(leaderEpoch === partition.#leader),
    };
  }

  /** A quorum has everything appended so far. */
  commit(count: number = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count && this.#waiting.length > 0; i++) {
      const { end, baseOffset, done } = this.#waiting.shift() as Waiting;
      this.highWatermark = Math.max(this.highWatermark, end);
      done(null, baseOffset);
    }
  }

  get uncommitted(): number {
    return this.#waiting.length;
  }

  /** The leader is gone. What was not committed is lost, or committed by the next leader. */
  crash(keepsUncommitted: boolean): void {
    this.#leader += 1;
    this.#waiting = [];
    if (!keepsUncommitted) this.#truncate(this.highWatermark);
    this.highWatermark = this.logEndOffset;
  }

  /** Newest value of every key from the log start on: what any load must give. */
  content(): Map<string, string> {
    const content = new Map<string, string>();
    for (const batch of this.batches) {
      for (const { offset, key, value } of iterateRecords(batch, 0)) {
        if (offset < this.logStartOffset || key === null) continue;
        const name = Buffer.from(key).toString('latin1');
        if (value === null) content.delete(name);
        else content.set(name, Buffer.from(value).toString('latin1'));
      }
    }
    return content;
  }

  #append(leaderEpoch: number, records: readonly CoordinatorRecord[], done: AppendDone): void {
    const error = leaderEpoch === this.#leader ? this.refusal : 'NOT_LEADER';
    if (error !== null) {
      done(error, -1);
      return;
    }
    const baseOffset = this.logEndOffset;
    this.batches.push(encodeBatch({ records, baseOffset }, () => 0));
    this.logEndOffset += records.length;
    this.#waiting.push({ end: this.logEndOffset, baseOffset, done });
    if (this.isInstant) this.commit();
  }

  #read(from: number, maxBytes: number): Buffer | null {
    this.reads += 1;
    const parts: Buffer[] = [];
    let size = 0;
    for (const batch of this.batches) {
      const next = nextOffsetOf(readBatchHeader(batch, 0));
      if (next <= from || next > this.highWatermark) continue;
      if (parts.length > 0 && size + batch.length > maxBytes) break;
      parts.push(batch);
      size += batch.length;
    }
    return parts.length === 0 ? null : Buffer.concat(parts);
  }

  #proposeLogStart(leaderEpoch: number, offset: number): void {
    if (leaderEpoch !== this.#leader) return;
    this.proposals.push(offset);
    this.logStartOffset = offset;
    this.batches = this.batches.filter((b) => nextOffsetOf(readBatchHeader(b, 0)) > offset);
  }

  #truncate(to: number): void {
    this.batches = this.batches.filter((b) => readBatchHeader(b, 0).baseOffset < to);
    this.logEndOffset = to;
  }
}
