/**
 * Records that arrive in one turn of the loop and go to one partition leave it as one batch: no
 * timer, no waiting, and one append for all of them. Some come alone, some as a request's share
 * that native code has cut already. Each caller hears of its own. Shard thread.
 */
import type { GroupKey } from '../../base/group.js';
import { groupText } from '../../base/group.js';
import { HTTP_TURN_BATCH_BYTES_MAX } from '../../base/limits.js';
import type { Offset } from '../../base/units.js';
import type {
  Acks,
  PartitionAccess,
  PartitionError,
  ProduceOptions,
  ProduceOutcome,
} from '../../partition/access.js';
import { type Checksum, encodeBatch, type RecordInput } from '../../records/batch.js';
import { blockOf } from '../../records/record-blocks.js';

/** What becomes of a record, or of several that came together: the offset is the first one's. */
export type RecordDone = (
  error: PartitionError | null,
  message: string | null,
  offset: Offset,
) => void;

/** Records whose batch is still to come; records/record-blocks.ts says how they are written. */
export type WaitingBlocks = { readonly blocks: Uint8Array; readonly records: number };

export type TurnBatchesOptions = {
  readonly partition: (group: GroupKey) => PartitionAccess;
  readonly checksum: Checksum;
  /** One batch of so many records in blocks; good until the next call. */
  readonly seal: (blocks: readonly Uint8Array[], records: number) => Uint8Array;
  /**
   * Writes a batch wherever its leader is now, waiting for one as long as `timeoutMs` allows; its
   * bytes are good for the call only.
   */
  readonly elsewhere: (
    group: GroupKey,
    bytes: Uint8Array,
    options: ProduceOptions,
    done: (outcome: ProduceOutcome) => void,
  ) => void;
};

type Wish = { readonly acks: Acks; readonly timeoutMs: number };

/** What one caller brought. */
type Part = {
  readonly content: RecordInput | WaitingBlocks;
  readonly done: RecordDone;
};

type Gathered = {
  readonly group: GroupKey;
  readonly acks: Acks;
  readonly parts: Part[];
  timeoutMs: number;
  bytes: number;
};

/** About what a record takes beside its key, value and headers. */
const RECORD_BYTES = 32;

export class TurnBatches {
  readonly #options: TurnBatchesOptions;
  readonly #gathered = new Map<string, Gathered>();
  /** The one that was added to last: the next record is most likely for it. */
  #last: Gathered | null = null;
  /** At most about twice the bound of a turn's batch, or the longest body. */
  #scratch: Buffer = Buffer.alloc(0);

  constructor(options: TurnBatchesOptions) {
    this.#options = options;
  }

  /**
   * `record` and what it refers to must stay as they are until the turn is over, and for another
   * shard's partition until `done` is called.
   */
  add(
    group: GroupKey,
    record: RecordInput,
    wish: Wish & { readonly bytes: number },
    done: RecordDone,
  ): void {
    this.#gather(group, wish, wish.bytes + RECORD_BYTES, { content: record, done });
  }

  /** All of them go into one batch; the bytes are kept until `done` is called. */
  addBlocks(group: GroupKey, waiting: WaitingBlocks, wish: Wish, done: RecordDone): void {
    this.#gather(group, wish, waiting.blocks.length, { content: waiting, done });
  }

  #gather(group: GroupKey, { acks, timeoutMs }: Wish, bytes: number, part: Part): void {
    let gathered = this.#last !== null && isFor(this.#last, group, acks) ? this.#last : null;
    gathered ??= this.#gathered.get(keyOf(group, acks)) ?? null;
    if (gathered === null || gathered.bytes + bytes > HTTP_TURN_BATCH_BYTES_MAX) {
      if (gathered !== null) this.#send(gathered);
      gathered = { group, acks, parts: [], timeoutMs: 0, bytes: 0 };
      this.#gathered.set(keyOf(group, acks), gathered);
    }
    this.#last = gathered;
    gathered.parts.push(part);
    gathered.bytes += bytes;
    gathered.timeoutMs = Math.max(gathered.timeoutMs, timeoutMs);
  }

  /** The end of a turn. */
  flush(): void {
    if (this.#gathered.size === 0) return;
    const all = [...this.#gathered.values()];
    this.#gathered.clear();
    this.#last = null;
    for (const gathered of all) this.#send(gathered);
  }

  #send({ group, acks, parts, timeoutMs }: Gathered): void {
    const bytes = this.#batchOf(parts);
    const answer = ({ error, message, baseOffset }: ProduceOutcome): void => {
      // Alone a part may be small enough for the topic.
      if (error === 'MESSAGE_TOO_LARGE' && parts.length > 1) {
        for (const part of parts) this.#send({ group, acks, timeoutMs, bytes: 0, parts: [part] });
        return;
      }
      let next = baseOffset;
      for (const { content, done } of parts) {
        done(error, message, baseOffset < 0 ? -1 : next);
        next += countOf(content);
      }
    };
    const { partition, elsewhere } = this.#options;
    const options = { acks, timeoutMs };
    partition(group).produce(bytes, 0, bytes.length, options, (outcome) => {
      // Certainly not written here: the leader is another node, or has just moved.
      if (outcome.error === 'NOT_LEADER') elsewhere(group, this.#batchOf(parts), options, answer);
      else answer(outcome);
    });
  }

  #batchOf(parts: readonly Part[]): Uint8Array {
    const records: RecordInput[] = [];
    for (const { content } of parts) {
      if ('blocks' in content) return this.#sealed(parts);
      records.push(content);
    }
    return encodeBatch({ records }, this.#options.checksum, (bytes) => this.#take(bytes));
  }

  /** What takes a batch writes or copies it at once, so that the next one may lie here, too. */
  #take(bytes: number): Buffer {
    if (bytes > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 * bytes);
    return this.#scratch.subarray(0, bytes);
  }

  #sealed(parts: readonly Part[]): Uint8Array {
    const blocks = parts.map(({ content }) =>
      'blocks' in content ? content.blocks : blockOf(content),
    );
    const records = parts.reduce((sum, { content }) => sum + countOf(content), 0);
    return this.#options.seal(blocks, records);
  }
}

function keyOf(group: GroupKey, acks: Acks): string {
  return `${groupText(group)} ${acks}`;
}

function isFor(gathered: Gathered, { topicId, partition }: GroupKey, acks: Acks): boolean {
  const { group } = gathered;
  return group.partition === partition && group.topicId === topicId && gathered.acks === acks;
}

function countOf(content: RecordInput | WaitingBlocks): number {
  return 'blocks' in content ? content.records : 1;
}
