/**
 * Carries out the core's log writes: takes the batches of the append being received out of its
 * payload, and tells what was appended, cut or replaced. Shard thread.
 */
import { assert } from '../base/assert.js';
import { isSamePosition } from '../base/position.js';
import type { Offset } from '../base/units.js';
import type { PartitionLog } from '../log/partition-log.js';
import {
  BATCH_BASE_OFFSET,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_MAX_TIMESTAMP,
  BATCH_SIZE,
  batchFields,
  readBatchHeader,
} from '../native/batch.js';
import type { Append } from '../raft/messages.js';
import type { LogWrite } from '../raft/ready.js';
import { sliceBytesStart } from './append-check.js';
import type { Applied } from './applied.js';
import type { ReplicaEvents, ReplicaOptions, StateSnapshots } from './replica-ports.js';

type Payload = { readonly message: Append; readonly bytes: Uint8Array; readonly start: number };

export class LogWriter {
  readonly #log: PartitionLog;
  readonly #events: ReplicaEvents;
  readonly #snapshots: StateSnapshots | undefined;
  readonly #applied: Applied;
  #payload: Payload | null = null;

  constructor({ log, events, snapshots }: ReplicaOptions, applied: Applied) {
    this.#log = log;
    this.#events = events;
    this.#snapshots = snapshots;
    this.#applied = applied;
  }

  /** The append whose slices the next `batches` writes refer to. */
  setPayload(message: Append, bytes: Uint8Array, start: number): void {
    this.#payload = { message, bytes, start };
  }

  clearPayload(): void {
    this.#payload = null;
  }

  write(write: LogWrite): void {
    switch (write.kind) {
      case 'truncate': {
        const hadEnd = this.#log.logEnd.offset;
        this.#log.truncateTo(write.to);
        if (write.to.offset < hadEnd) this.#events.onTruncated(write.to.offset);
        return;
      }
      case 'mark':
        this.#log.appendMark(write.mark);
        return;
      case 'reset':
        this.#snapshots?.install(write.to, write.state);
        try {
          this.#log.resetTo(write.to, write.epochs);
        } finally {
          // On a full disk the reset may stand although its checkpoint does not.
          if (isSamePosition(this.#log.logEnd, write.to)) this.#applied.resetTo(write.to);
        }
        return;
      case 'batches':
        this.#writeBatches(write.index, write.from.offset);
    }
  }

  /** Appends one batch that was checked before; returns how many offsets it takes. */
  appendBatch(bytes: Uint8Array, start: number, length: number): number {
    const fault = readBatchHeader(bytes, start, length);
    assert(fault === 0, 'a batch was checked before it is appended', { fault });
    const lastOffsetDelta = batchFields[BATCH_LAST_OFFSET_DELTA] as number;
    const baseOffset = batchFields[BATCH_BASE_OFFSET] as Offset;
    assert(baseOffset === this.#log.logEnd.offset, 'batches follow each other', {
      baseOffset,
      logEnd: this.#log.logEnd.offset,
    });
    this.#log.appendBatch(bytes, start, length, {
      lastOffsetDelta,
      maxTimestamp: batchFields[BATCH_MAX_TIMESTAMP] as number,
      leaderEpoch: batchFields[BATCH_LEADER_EPOCH] as number,
    });
    this.#events.onAppended(bytes, start, length, baseOffset);
    return lastOffsetDelta + 1;
  }

  #writeBatches(index: number, from: Offset): void {
    const payload = this.#payload;
    assert(payload !== null, 'batches are written while their bytes are at hand');
    const { message, bytes } = payload;
    const slice = message.slices[index];
    assert(slice?.kind === 'batches', 'a write names a slice of batches', { index });
    let at = sliceBytesStart(message, index, payload.start);
    const end = at + slice.byteLength;
    while (at < end) {
      readBatchHeader(bytes, at, end - at);
      const size = batchFields[BATCH_SIZE] as number;
      // What lies before `from` is in the log already: a repeated or overlapping message.
      const isNew = (batchFields[BATCH_BASE_OFFSET] as number) >= from;
      if (isNew) this.appendBatch(bytes, at, size);
      at += size;
    }
  }
}
