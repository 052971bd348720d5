/**
 * The metadata group's state machine on this node: the image, fed from committed batches of the
 * log, and its snapshots. The log is kept from the last snapshot but one on, so that a damaged
 * newest snapshot costs a longer replay and nothing else. Main thread.
 *
 *   start     newest valid snapshot, then the log behind it as it is found committed
 *   bound     after so many bytes or records a new snapshot, the log trimmed behind the older one
 *   behind    a node below the leader's log start takes the leader's image as its own snapshot
 */
import { assert } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import type { Mutant } from '../base/mutant.js';
import { ORIGIN, type Position } from '../base/position.js';
import type { LeaderEpoch, Offset } from '../base/units.js';
import type { Logger } from '../observability/logger.js';
import type { FullDelta, RecordsDelta } from './delta.js';
import {
  readWhole,
  UNFINISHED,
  writeAtomically,
  writeAtomicallyLater,
} from '../base/small-file.js';
import { applyBatch, type ClusterImage, EMPTY_IMAGE } from './image.js';
import { encodeImage } from './image-codec.js';
import { APPLY_READ_BYTES_MAX, SNAPSHOT_RECORDS_MAX } from './limits.js';
import type { ControlDisk, MetadataLog } from './ports.js';
import { decodeRecord, type MetadataRecord } from './records.js';
import {
  decodeSnapshot,
  encodeSnapshot,
  type Snapshot,
  snapshotName,
  snapshotNames,
  snapshotOffset,
} from './snapshot-file.js';

export type MetadataStateOptions = {
  readonly disk: ControlDisk;
  /** Folder of the metadata log. */
  readonly directory: string;
  /** Setting `metadata.log.max.record.bytes.between.snapshots`. */
  readonly snapshotBytesMax: number;
  readonly logger: Logger;
  /** Tests only: a classical mistake. */
  readonly mutant?: Mutant | undefined;
};

export class MetadataState {
  readonly #options: MetadataStateOptions;
  #image: ClusterImage = EMPTY_IMAGE;
  /** The image before the batch applied last: of use to a mistake only. */
  #imageBefore: ClusterImage = EMPTY_IMAGE;
  /** A committed position whose offset is the image's. */
  #position: Position = ORIGIN;
  /** Epoch of the last commit applied; names snapshots. */
  #leaderEpoch: LeaderEpoch = 0;
  #log: MetadataLog | null = null;
  #bytesSinceSnapshot = 0;
  #recordsSinceSnapshot = 0;
  #isWriting = false;

  constructor(options: MetadataStateOptions) {
    this.#options = options;
    this.#load();
  }

  get image(): ClusterImage {
    return this.#image;
  }

  /**
   * @throws LograftError CORRUPT when the log begins behind the newest snapshot that can be read
   */
  attach(log: MetadataLog): void {
    if (log.logStartOffset > this.#image.appliedOffset) {
      throw new LograftError(
        'CORRUPT',
        `the metadata log in ${this.#options.directory} begins at ${log.logStartOffset}, ` +
          `but the newest readable snapshot ends at ${this.#image.appliedOffset}`,
        'the metadata of this node cannot be rebuilt from its disk: restore the .checkpoint files',
      );
    }
    this.#log = log;
  }

  /**
   * Applies one stretch of committed batches below `end`; null when there is nothing left. Call
   * until then, and {@link settleAt} at the end.
   */
  applyNext(end: Offset): RecordsDelta | null {
    const from = this.#image.appliedOffset;
    if (this.#log === null || end <= from) return null;
    const batches = this.#log.read(from, end, APPLY_READ_BYTES_MAX);
    const applied: MetadataRecord[] = [];
    for (const { baseOffset, values, sizeBytes } of batches) {
      const records = values.map(decodeRecord);
      this.#imageBefore = this.#image;
      this.#image = applyBatch(this.#image, records, baseOffset);
      this.#bytesSinceSnapshot += sizeBytes;
      this.#recordsSinceSnapshot += records.length;
      applied.push(...records);
    }
    assert(applied.length > 0, 'committed metadata can be read', { from, end });
    return { kind: 'records', from, to: this.#image.appliedOffset, records: applied };
  }

  /** Everything committed is applied and this is where: snapshots may be taken here. */
  settleAt(position: Position, leaderEpoch: LeaderEpoch): void {
    if (position.offset !== this.#image.appliedOffset) return;
    this.#position = position;
    this.#leaderEpoch = leaderEpoch;
    const isDue =
      this.#bytesSinceSnapshot >= this.#options.snapshotBytesMax ||
      this.#recordsSinceSnapshot >= SNAPSHOT_RECORDS_MAX;
    if (isDue && !this.#isWriting) this.#writeSnapshot();
  }

  /** The whole state, for a node that is behind the log's start. */
  capture(): { position: Position; bytes: Buffer } {
    const snapshot = this.#current();
    return { position: snapshot.position, bytes: encodeSnapshot(snapshot) };
  }

  /**
   * Makes a leader's snapshot this node's own: durable as a file first, then the image. The caller
   * then resets the log; a crash in between finds a snapshot ahead of the log, which is harmless.
   * @returns the new image, or null when this node already has more
   * @throws LograftError CORRUPT when the bytes are not what the leader wrote
   */
  install(position: Position, bytes: Uint8Array): FullDelta | null {
    const snapshot = decodeSnapshot(bytes);
    if ('damage' in snapshot) {
      throw new LograftError('CORRUPT', `received metadata snapshot: ${snapshot.damage}`);
    }
    assert(snapshot.position.offset === position.offset, 'a snapshot is for its position', {
      stated: position.offset,
      holds: snapshot.position.offset,
    });
    if (position.offset <= this.#image.appliedOffset) return null;
    const { disk, directory } = this.#options;
    writeAtomically(disk, directory, snapshotName(snapshot), bytes);
    this.#take(snapshot);
    this.#bytesSinceSnapshot = 0;
    this.#recordsSinceSnapshot = 0;
    return this.fullDelta();
  }

  fullDelta(): FullDelta {
    // A copy of its own: posting a view to a shard would copy the packer's whole buffer.
    const bytes = new Uint8Array(encodeImage(this.#image));
    return { kind: 'full', to: this.#image.appliedOffset, bytes };
  }

  #load(): void {
    const { disk, directory, logger } = this.#options;
    const listing = disk.list(directory);
    for (const name of listing) {
      if (name.endsWith(`.checkpoint${UNFINISHED}`)) disk.unlink(`${directory}/${name}`);
    }
    for (const name of snapshotNames(listing)) {
      const path = `${directory}/${name}`;
      const snapshot = decodeSnapshot(readWhole(disk, path));
      if (!('damage' in snapshot)) {
        this.#take(snapshot);
        return;
      }
      logger.error({ path, damage: snapshot.damage }, 'metadata snapshot is damaged, moved aside');
      disk.rename(path, `${path}.damaged`);
    }
  }

  #take({ position, leaderEpoch, image }: Snapshot): void {
    this.#image = image;
    this.#position = position;
    this.#leaderEpoch = leaderEpoch;
  }

  #current(): Snapshot {
    assert(this.#position.offset === this.#image.appliedOffset, 'a snapshot is of a whole commit');
    const isShort = this.#options.mutant === 'snapshot-skips-last-batch';
    const { appliedOffset } = this.#image;
    const image = isShort ? { ...this.#imageBefore, appliedOffset } : this.#image;
    return { position: this.#position, leaderEpoch: this.#leaderEpoch, image };
  }

  #writeSnapshot(): void {
    const { disk, directory, logger } = this.#options;
    const snapshot = this.#current();
    this.#isWriting = true;
    this.#bytesSinceSnapshot = 0;
    this.#recordsSinceSnapshot = 0;
    const done = (error: Error | null): void => {
      this.#isWriting = false;
      // The next one is due after the same growth again; until then the log keeps what is needed.
      const failure = error ?? this.#tryTrimBehind();
      if (failure !== null)
        logger.error({ directory, reason: failure.message }, 'metadata snapshot failed');
    };
    try {
      writeAtomicallyLater(disk, directory, snapshotName(snapshot), encodeSnapshot(snapshot), done);
    } catch (error) {
      done(error as Error);
    }
  }

  #tryTrimBehind(): Error | null {
    try {
      this.#trimBehind();
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  /** Keeps the two newest snapshots and the log from the older of them on. */
  #trimBehind(): void {
    const { disk, directory } = this.#options;
    const names = snapshotNames(disk.list(directory));
    for (const name of names.slice(2)) disk.unlink(`${directory}/${name}`);
    const [, older] = names;
    if (older !== undefined) this.#log?.trimTo(snapshotOffset(older));
  }
}
