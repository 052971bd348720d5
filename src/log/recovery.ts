/**
 * Opens a replica's folder after a stop of any kind. Two promises. What was acknowledged is either
 * there afterwards or the replica says it is *forgetful*: it neither votes nor counts until a
 * leader elected without it has brought it up to date. And a process that was killed, with its page
 * cache kept, is never forgetful. Runs once, at open, blocking; reads before it changes anything.
 *
 * "Promised": everything below was told durable, as the WAL and the checkpoint remember; they may
 * lag behind the last sync. The marks decide which epoch a batch must have; the log file decides
 * how far the marks count. F is the first offset that is lost.
 *
 *  case                  | what is seen                            | what is done       | forgetful
 *  ----------------------|-----------------------------------------|--------------------|----------
 *  clean-stop            | checkpoint says closed, sizes match     | nothing is scanned | no
 *  torn-tail             | the last batch is cut short             | cut at F           | rule 1, 2
 *  zero-tail             | zeros to the end                        | cut at F           | rule 1, 2
 *  bad-crc-last          | checksum of the last batch              | cut at F           | rule 1, 2
 *  bad-crc-middle        | checksum or header, batches behind      | cut at F           | rule 1, 2
 *  hole                  | an offset that does not follow          | cut at F           | rule 1, 2
 *  stale-epoch           | an epoch below what the marks say       | cut at F           | rule 1, 2
 *  truncate-replayed     | the same, and a truncation explains it  | cut at F           | rule 1
 *  unknown-epoch         | an epoch whose mark did not survive     | cut at F           | rule 1
 *  segment-missing       | a log file is not there                 | cut at F           | rule 1, 2
 *  segment-short         | a sealed file is shorter than recorded  | scanned, then as it| rule 1, 2
 *  synced-bytes-missing  | the log ends below what was promised    | ends there         | yes
 *  mark-beyond-end       | a mark behind the end of the batches    | mark dropped       | no
 *  offset-index-rebuilt  | .index missing, cut, ahead, or garbage  | rebuilt from log   | no
 *  time-index-rebuilt    | the same of .timeindex                  | rebuilt from log   | no
 *  left-over-file        | .tmp, .swap, an index without its log   | removed            | no
 *  name-restored         | partition.metadata names another topic  | rewritten          | no
 *                        |   than the checkpoint, which is ours    |                    |
 *  state-lost            | no sound checkpoint, but batches        | history from batches| yes
 *  folder-lost           | the WAL knows the replica, no folder    | starts empty       | yes
 *  page-cache-lost       | `cached` topic, power was lost          | as the cases above | yes
 *  (throws)              | the folder is another topic's           | DIRECTORY_FOREIGN  |
 *
 *  Rule 1: F lies below what was promised.
 *  Rule 2: the damage is not what the stop explains. A kill explains only a last batch that is cut
 *          short. A power cut explains any tail, as long as no sound batch lies behind the damage.
 *
 * Bytes behind what is known to be synced are written once more: a sync may have failed before, and
 * then they are in the page cache, marked clean, and no later sync would bring them to the disk.
 *
 * A forgetful replica first makes that fact durable, then saves the bytes it gives up beside the
 * segment (`….log.<position>.cut`), then cuts.
 */
import type { GroupKey } from '../base/group.js';
import { type Position, comparePositions, formatPosition } from '../base/position.js';
import { writeAtomically } from '../base/small-file.js';
import type { FilePosition, Offset, TopicId } from '../base/units.js';
import type { Disk, DiskFile } from './disk.js';
import type { LogConfig } from './log-config.js';
import type { RecoveryFinding, ReplicaOp } from './log-types.js';
import { REPLICA_STATE, segmentPath } from './names.js';
import { type LogCut, type ScannedLog, scanSegments } from './recovery-scan.js';
import { type Found, findReplica } from './recovery-state.js';
import { type ReplicaState, applyOp, encodeCheckpoint, placeBefore } from './replica-state.js';
import { Segment } from './segment.js';
import type { SegmentHome } from './segment-home.js';
import { summaryOf } from './segment-list.js';
import type { Wal } from './wal.js';

export type RecoveryOptions = {
  readonly disk: Disk;
  readonly directory: string;
  readonly topicId: TopicId;
  readonly group: GroupKey;
  readonly config: LogConfig;
  readonly wal: Wal;
  readonly home: SegmentHome;
  readonly isCleanStop: boolean;
  readonly isPageCacheLost: boolean;
  readonly suspectFrom?: Offset | undefined;
};

export type RecoveredReplica = {
  readonly state: ReplicaState;
  /** Never empty. */
  readonly segments: Segment[];
  readonly findings: RecoveryFinding[];
  /** Everything before it is durable, as the topic's durability defines it. */
  readonly synced: Position;
  /** Highest promise that the checkpoint on disk holds. */
  readonly checkpointPromise: Offset;
  readonly isClean: boolean;
};

export function recoverReplica(options: RecoveryOptions): RecoveredReplica {
  const findings: RecoveryFinding[] = [];
  const found = findReplica(options, findings);
  const checkpointPromise = found.checkpoint?.state.promisedOffset ?? 0;
  const { suspectFrom } = options;
  const isBelieved = options.isCleanStop && suspectFrom === undefined;
  const clean = isBelieved ? adoptClean(options, found) : null;
  if (clean !== null) {
    findings.push({ kind: 'clean-stop', detail: '' });
    const synced = { offset: endOffsetOf(clean), marks: found.state.endMarks };
    const { state } = found;
    return { state, segments: clean, findings, synced, checkpointPromise, isClean: true };
  }
  const indexIntervalBytes = options.config.indexIntervalBytes;
  const scan = { home: options.home, found, indexIntervalBytes, suspectFrom };
  const scanned = scanSegments(scan, findings);
  return new Repair(options, found, scanned, findings).run();
}

/** The segments as the checkpoint describes them, when the folder still looks like that. */
function adoptClean({ disk, home }: RecoveryOptions, found: Found): Segment[] | null {
  const { checkpoint, isStateLost, baseOffsets, truncatedAt, resetTo } = found;
  if (isStateLost || checkpoint === null || checkpoint.closed === null) return null;
  const { segments, closed, state } = checkpoint;
  const isUnchanged =
    state.endMarks === found.state.endMarks &&
    truncatedAt.length === 0 &&
    resetTo === null &&
    segments.length === baseOffsets.length &&
    segments.every(
      ({ baseOffset, sizeBytes }, i) =>
        baseOffset === baseOffsets[i] &&
        disk.fileSize(segmentPath(home.directory, baseOffset, 'log')) === sizeBytes,
    );
  if (!isUnchanged) return null;
  return segments.map((summary, i) => {
    const segment = new Segment(home, summary.baseOffset);
    segment.adopt(summary, segments[i + 1]?.baseOffset ?? closed.logEndOffset);
    return segment;
  });
}

/** Brings folder and state to what the scan found; everything that changes a file is here. */
class Repair {
  readonly #o: RecoveryOptions;
  readonly #found: Found;
  readonly #state: ReplicaState;
  readonly #scanned: ScannedLog;
  readonly #findings: RecoveryFinding[];

  constructor(
    options: RecoveryOptions,
    found: Found,
    scanned: ScannedLog,
    findings: RecoveryFinding[],
  ) {
    this.#o = options;
    this.#found = found;
    this.#state = found.state;
    this.#scanned = scanned;
    this.#findings = findings;
  }

  run(): RecoveredReplica {
    const { cut } = this.#scanned;
    const reasons = this.#reasons(cut);
    if (cut !== null) this.#find(cut.kind, `first lost offset ${cut.offset}`);
    const isDamage = cut !== null && reasons.length > 0;
    if (reasons.length > 0 && !this.#state.isForgetful) {
      this.#apply({ kind: 'forgetful', isForgetful: true });
    }
    if (this.#found.isStateLost) this.#replaceState();
    if (reasons.length > 0) this.#o.wal.flushNow();
    if (cut !== null) this.#cutFiles(isDamage);
    else this.#removeDoomed();
    const segments = this.#openEnd();
    this.#rewriteUnproven(segments);
    this.#cutMarks(endOffsetOf(segments));
    return {
      state: this.#state,
      segments,
      findings: this.#findings,
      synced: this.#syncedPosition(endOffsetOf(segments)),
      checkpointPromise: this.#found.checkpoint?.state.promisedOffset ?? 0,
      isClean: false,
    };
  }

  /** Why the replica cannot vouch for what it has; empty when it can. */
  #reasons(cut: LogCut | null): string[] {
    const { isPageCacheLost, config } = this.#o;
    const { promisedOffset, endMarks } = this.#state;
    const reasons: string[] = [];
    if (this.#found.isFolderLost) reasons.push('folder-lost');
    else if (this.#found.isStateLost) reasons.push('state-lost');
    const hasLived = endMarks > 0 || promisedOffset > 0;
    if (isPageCacheLost && config.durability === 'cached' && hasLived) {
      reasons.push('page-cache-lost');
    }
    for (const reason of reasons) this.#find(reason as RecoveryFinding['kind'], 'forgetful');
    if (cut === null || this.#o.home.mutant === 'truncate-on-any-damage') return reasons;
    if (cut.offset < promisedOffset) reasons.push('promised');
    else if (!isExplained(cut, isPageCacheLost)) reasons.push('unexplained');
    return reasons;
  }

  /** The marks are gone: what the batches told becomes the state, and the old words are void. */
  #replaceState(): void {
    const { disk, directory, topicId, wal, group } = this.#o;
    const state = this.#state;
    const first = this.#scanned.segments[0];
    state.start = { offset: first?.baseOffset ?? 0, marks: 0 };
    state.logStartOffset = state.start.offset;
    state.endMarks = state.epochs.length;
    state.marks = state.epochs.map(({ epoch, start }) => ({
      kind: 'epoch-start',
      epoch,
      at: start,
    }));
    state.isForgetful = true;
    state.opSequence = wal.sequence(group);
    const segments = this.#scanned.segments.map(summaryOf);
    const bytes = encodeCheckpoint({ topicId, state, segments, closed: null });
    writeAtomically(disk, directory, REPLICA_STATE, bytes);
    wal.dropOps(group, state.opSequence);
  }

  #cutFiles(isDamage: boolean): void {
    const { disk, home, config } = this.#o;
    const last = this.#scanned.segments.at(-1);
    if (last !== undefined) {
      const fileBytes = disk.fileSize(last.path);
      if (isDamage && fileBytes > last.sizeBytes) this.#saveTail(last, fileBytes);
      if (fileBytes > last.sizeBytes) last.truncateTo(last.end(), config.indexIntervalBytes);
    }
    if (isDamage) {
      for (const base of this.#scanned.doomed) {
        const path = segmentPath(home.directory, base, 'log');
        home.files.forget(path);
        disk.rename(path, `${path}.0.cut`);
      }
    }
    this.#removeDoomed();
  }

  /** What is given up without proof that nobody needs it stays on the disk, for a human. */
  #saveTail(segment: Segment, fileBytes: number): void {
    const { disk } = this.#o;
    const from = segment.sizeBytes;
    const copy = disk.openFile(`${segment.path}.${from}.cut`, 'create');
    try {
      copyBytes(disk, segment, from, fileBytes, copy, 0);
    } finally {
      disk.close(copy);
    }
  }

  #removeDoomed(): void {
    const { disk, home } = this.#o;
    for (const base of this.#scanned.doomed) {
      for (const suffix of ['log', 'index', 'timeindex']) {
        const path = segmentPath(home.directory, base, suffix);
        home.files.forget(path);
        disk.unlink(path);
      }
    }
  }

  /** The log needs an active segment, and cannot end in front of where it starts. */
  #openEnd(): Segment[] {
    const { home } = this.#o;
    const { start } = this.#state;
    const { segments } = this.#scanned;
    if (segments.length > 0 && endOffsetOf(segments) >= start.offset) return segments;
    for (const segment of segments) this.#scanned.doomed.push(segment.baseOffset);
    this.#removeDoomed();
    const empty = new Segment(home, start.offset);
    empty.create();
    return [empty];
  }

  /** After a loss of the page cache what was read came from the disk itself. */
  #rewriteUnproven(segments: readonly Segment[]): void {
    const { config, isPageCacheLost } = this.#o;
    const { isStateLost } = this.#found;
    if (isPageCacheLost || config.durability !== 'synced') return;
    const provenTo = isStateLost ? 0 : this.#state.syncedOffset;
    for (const segment of segments) {
      if (segment.nextOffset <= provenTo) continue;
      const from = Math.max(provenTo, segment.baseOffset);
      const { filePosition } = segment.boundaryOf(from, config.indexIntervalBytes);
      copyBytes(this.#o.disk, segment, filePosition, segment.sizeBytes, segment.file, filePosition);
    }
  }

  /** Marks behind the last batch that is left did not become true. */
  #cutMarks(endOffset: Offset): void {
    const state = this.#state;
    const beyond = state.marks.find(({ at }) => at.offset > endOffset);
    const to = { offset: endOffset, marks: beyond?.at.marks ?? state.endMarks };
    if (beyond !== undefined) this.#find('mark-beyond-end', formatPosition(beyond.at));
    const isTooMuch = beyond !== undefined || state.promisedOffset > endOffset;
    if (isTooMuch && comparePositions(to, state.start) >= 0) this.#apply({ kind: 'truncate', to });
    state.logStartOffset = Math.min(state.logStartOffset, endOffset);
  }

  #syncedPosition(endOffset: Offset): Position {
    const { config } = this.#o;
    const { syncedOffset, start } = this.#state;
    const counted = config.durability === 'synced' ? syncedOffset : endOffset;
    return placeBefore(this.#state, Math.max(start.offset, Math.min(counted, endOffset)));
  }

  #apply(op: ReplicaOp): void {
    this.#o.wal.append(this.#o.group, op);
    applyOp(this.#state, op);
  }

  #find(kind: RecoveryFinding['kind'], detail: string): void {
    this.#findings.push({ kind, detail });
  }
}

const COPY_BYTES = 1 << 20;

/** Bytes of a segment's file to a place in the same file or another one. */
function copyBytes(
  disk: Disk,
  { file }: Segment,
  from: FilePosition,
  end: FilePosition,
  target: DiskFile,
  to: FilePosition,
): void {
  const piece = Buffer.allocUnsafe(Math.min(COPY_BYTES, end - from));
  for (let at = from; at < end; at += piece.length) {
    const count = disk.readAt(file, at, piece, 0, Math.min(piece.length, end - at));
    disk.writeAt(target, to + at - from, piece, 0, count);
  }
}

/** Rule 2 of the table: is the damage what this kind of stop leaves behind? */
function isExplained({ kind, hasSoundBehind }: LogCut, isPageCacheLost: boolean): boolean {
  if (kind === 'unknown-epoch' || kind === 'truncate-replayed') return true;
  if (isPageCacheLost) return !hasSoundBehind;
  return kind === 'torn-tail' && !hasSoundBehind;
}

function endOffsetOf(segments: readonly Segment[]): Offset {
  return (segments.at(-1) as Segment).nextOffset;
}
