/**
 * What a partition's folder says of its replica besides batches: our checkpoint and Kafka's epoch
 * file, and whether they say less than memory does. Thread: the shard's.
 */
import type { GroupKey } from '../base/group.js';
import type { Offset } from '../base/units.js';
import { Checkpointer } from './checkpointer.js';
import { EpochFile } from './kafka-files.js';
import type { LogHealth } from './log-health.js';
import type { ReplicaState } from './replica-state.js';
import type { SegmentHome } from './segment-home.js';
import type { SegmentList } from './segment-list.js';
import type { Wal } from './wal.js';

export type ReplicaFolderOptions = {
  readonly home: SegmentHome;
  readonly group: GroupKey;
  readonly wal: Wal;
  readonly state: ReplicaState;
  readonly segments: SegmentList;
  readonly health: LogHealth;
  /** The folder was closed in good order and says everything. */
  readonly isClean: boolean;
  /** Highest promise that the checkpoint on disk holds. */
  readonly promisedOffset: Offset;
};

export class ReplicaFolder {
  readonly #o: ReplicaFolderOptions;
  readonly #checkpointer: Checkpointer;
  readonly #epochFile: EpochFile;
  #promisedOffset: Offset;
  #isChanged: boolean;
  /** True while the last checkpoint of a clean close is written. */
  #isClosing = false;

  constructor(options: ReplicaFolderOptions) {
    const { home, promisedOffset, isClean } = options;
    this.#o = options;
    this.#promisedOffset = promisedOffset;
    this.#isChanged = !isClean;
    this.#epochFile = new EpochFile(home.disk, home.directory, isClean);
    this.#checkpointer = this.#makeCheckpointer();
    this.writeEpochs();
  }

  /** False when a clean close has nothing to write. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** Highest promise that the checkpoint on disk may hold. */
  get promisedOffset(): Offset {
    return this.#promisedOffset;
  }

  change(): void {
    this.#isChanged = true;
  }

  /** The epoch file is behind; {@link writeEpochs} brings it up to date. */
  changeEpochs(): void {
    this.#epochFile.isCurrent = false;
  }

  /**
   * Derived, for Kafka's tools: when it cannot be written now, the next occasion will do. A log
   * start that has moved waits for a checkpoint, since retention moves it all the time.
   */
  writeEpochs(): void {
    if (!this.#epochFile.isCurrent) this.#writeEpochs();
  }

  /** Starts writing a checkpoint. */
  checkpoint(): void {
    this.#checkpointer.write();
  }

  /** Writes a checkpoint, blocking. Throws errno errors. */
  checkpointNow(): void {
    this.#checkpointer.writeNow();
  }

  /** Says that everything is on disk, which it must be; the next open scans nothing. */
  closeCleanly(): void {
    this.settleEpochs();
    this.#isClosing = true;
    this.#checkpointer.writeNow();
  }

  /** The epoch file is to say everything, the log start too. */
  settleEpochs(): void {
    if (!this.#epochFile.isExact(this.#o.state.logStartOffset)) this.#writeEpochs();
  }

  #writeEpochs(): void {
    const { health, state } = this.#o;
    const { epochs, logStartOffset } = state;
    health.attempt('write epochs of', () => this.#epochFile.write(epochs, logStartOffset));
  }

  close(): void {
    this.#checkpointer.close();
  }

  #makeCheckpointer(): Checkpointer {
    const { home, group, wal, state, segments, health } = this.#o;
    return new Checkpointer({
      disk: home.disk,
      directory: home.directory,
      capture: () => ({
        topicId: group.topicId,
        state: { ...state, opSequence: wal.sequence(group) },
        segments: segments.summary(),
        closed: this.#isClosing ? { logEndOffset: segments.endOffset } : null,
      }),
      filesFirst: () => segments.unsyncedCuts(),
      written: (checkpoint) => {
        this.#promisedOffset = checkpoint.state.promisedOffset;
        wal.dropOps(group, checkpoint.state.opSequence);
        if (checkpoint.closed !== null) this.#isChanged = false;
      },
      failed: (error) => health.fail(error),
    });
  }
}
