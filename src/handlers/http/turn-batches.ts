/**
 * Records that arrive one by one in one turn of the loop and go to one partition leave it as one
 * batch: no timer, no waiting, and one append for all of them. Each caller hears of its own record.
 * Shard thread.
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

/** What becomes of one record. */
export type RecordDone = (
  error: PartitionError | null,
  message: string | null,
  offset: Offset,
) => void;

export type TurnBatchesOptions = {
  readonly partition: (group: GroupKey) => PartitionAccess;
  readonly checksum: Checksum;
  /** Writes a batch wherever its leader is now, waiting for one as long as `timeoutMs` allows. */
  readonly elsewhere: (
    group: GroupKey,
    bytes: Uint8Array,
    options: ProduceOptions,
    done: (outcome: ProduceOutcome) => void,
  ) => void;
};

type Gathered = {
  readonly group: GroupKey;
  readonly acks: Acks;
  readonly records: RecordInput[];
  readonly dones: RecordDone[];
  timeoutMs: number;
  bytes: number;
};

/** About what a record takes beside its key, value and headers. */
const RECORD_BYTES = 32;

export class TurnBatches {
  readonly #options: TurnBatchesOptions;
  readonly #gathered = new Map<string, Gathered>();

  constructor(options: TurnBatchesOptions) {
    this.#options = options;
  }

  /** `record` and what it refers to are kept until {@link flush}. */
  add(
    group: GroupKey,
    record: RecordInput,
    { acks, timeoutMs, bytes }: { acks: Acks; timeoutMs: number; bytes: number },
    done: RecordDone,
  ): void {
    const key = `${groupText(group)} ${acks}`;
    let gathered = this.#gathered.get(key);
    const isFull =
      gathered !== undefined && gathered.bytes + bytes + RECORD_BYTES > HTTP_TURN_BATCH_BYTES_MAX;
    if (gathered !== undefined && isFull) this.#send(gathered);
    if (gathered === undefined || isFull) {
      gathered = { group, acks, records: [], dones: [], timeoutMs: 0, bytes: 0 };
      this.#gathered.set(key, gathered);
    }
    gathered.records.push(record);
    gathered.dones.push(done);
    gathered.bytes += bytes + RECORD_BYTES;
    gathered.timeoutMs = Math.max(gathered.timeoutMs, timeoutMs);
  }

  /** The end of a turn. */
  flush(): void {
    if (this.#gathered.size === 0) return;
    const all = [...this.#gathered.values()];
    this.#gathered.clear();
    for (const gathered of all) this.#send(gathered);
  }

  #send({ group, acks, records, dones, timeoutMs }: Gathered): void {
    const bytes = encodeBatch({ records }, this.#options.checksum);
    const answer = ({ error, message, baseOffset }: ProduceOutcome): void => {
      // Alone a record may be small enough for the topic.
      if (error === 'MESSAGE_TOO_LARGE' && records.length > 1) {
        records.forEach((record, i) =>
          this.#send({
            ...{ group, acks, timeoutMs, bytes: 0 },
            ...{ records: [record], dones: [dones[i] as RecordDone] },
          }),
        );
        return;
      }
      dones.forEach((done, i) => done(error, message, baseOffset < 0 ? -1 : baseOffset + i));
    };
    const { partition, elsewhere } = this.#options;
    const options = { acks, timeoutMs };
    partition(group).produce(bytes, 0, bytes.length, options, (outcome) => {
      // Certainly not written here: the leader has just moved.
      if (outcome.error === 'NOT_LEADER') elsewhere(group, bytes, options, answer);
      else answer(outcome);
    });
  }
}
