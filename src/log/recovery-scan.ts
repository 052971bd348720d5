/**
 * Second half of recovery: walks the segments from the first one that is not believed, and finds
 * out how far the log is whole. Changes no file; the segments it returns end where the last sound
 * batch ends. Runs once, at open, blocking.
 */
import type { EpochEntry } from '../base/position.js';
import type { LeaderEpoch, Offset } from '../base/units.js';
import { type BatchHeader, nextOffsetOf } from '../records/batch.js';
import { type DamageKind, hasSoundBatchBehind, scanBatches } from './batch-scan.js';
import { epochOfOffset } from './epoch-history.js';
import type { RecoveryCase, RecoveryFinding } from './log-types.js';
import { segmentPath } from './names.js';
import type { Found } from './recovery-state.js';
import { Segment, type SegmentHome } from './segment.js';

/** The end of what is whole, when more follows or should follow. */
export type LogCut = {
  readonly kind: RecoveryCase;
  /** First offset that is lost. */
  readonly offset: Offset;
  /** A sound batch lies somewhere behind the damage. */
  readonly hasSoundBehind: boolean;
};

export type ScannedLog = {
  /** Segments whose content counts, oldest first; perhaps none. */
  readonly segments: Segment[];
  /** Segment files that lie behind the cut, or wholly below the log's start. */
  readonly doomed: Offset[];
  readonly cut: LogCut | null;
};

export type ScanOptions = {
  readonly home: SegmentHome;
  readonly found: Found;
  readonly indexIntervalBytes: number;
};

export function scanSegments(options: ScanOptions, findings: RecoveryFinding[]): ScannedLog {
  const { home, found } = options;
  const { start, promisedOffset } = found.state;
  const { kept, doomed } = splitAtStart(found);
  const segments: Segment[] = [];
  // Without a state the first file says where the log starts.
  const first = kept[0] ?? start.offset;
  let expected = found.isStateLost ? first : Math.min(first, start.offset);
  for (const [i, baseOffset] of kept.entries()) {
    const behind = kept.slice(i);
    if (baseOffset !== expected) {
      const hasSoundBehind = behind.some((base) => hasSoundBatch(home, base));
      const kind = 'segment-missing';
      return {
        segments,
        doomed: [...doomed, ...behind],
        cut: { kind, offset: expected, hasSoundBehind },
      };
    }
    const segment = new Segment(home, baseOffset);
    segments.push(segment);
    const next = kept[i + 1];
    if (!isBelieved(options, baseOffset, next, findings)) {
      const cut = scanSegment(options, segment, findings);
      if (cut !== null) {
        const hasSoundBehind =
          cut.hasSoundBehind || behind.slice(1).some((base) => hasSoundBatch(home, base));
        const all = [...doomed, ...behind.slice(1)];
        return { segments, doomed: all, cut: { ...cut, hasSoundBehind } };
      }
    } else segment.adopt(fileBytesOf(home, baseOffset), next as Offset);
    expected = segment.nextOffset;
  }
  const isShort = expected < promisedOffset;
  const cut = { kind: 'synced-bytes-missing', offset: expected, hasSoundBehind: false } as const;
  return { segments, doomed, cut: isShort ? cut : null };
}

/** Files that a removal below the log's start, or a reset, has left behind are not kept. */
function splitAtStart({ state, isReset, baseOffsets }: Found) {
  const startOffset = state.start.offset;
  const kept = baseOffsets.filter((base, i) => {
    const next = baseOffsets[i + 1];
    if (base >= startOffset) return true;
    return !isReset && (next === undefined || next > startOffset);
  });
  return { kept, doomed: baseOffsets.filter((base) => !kept.includes(base)) };
}

/** Sealed, wholly below what is on disk, and as long as the checkpoint remembers it. */
function isBelieved(
  { home, found }: ScanOptions,
  baseOffset: Offset,
  nextBase: Offset | undefined,
  findings: RecoveryFinding[],
): boolean {
  if (nextBase === undefined || nextBase > found.state.syncedOffset) return false;
  const recorded = found.checkpoint?.segments.find((segment) => segment.baseOffset === baseOffset);
  const isLast = recorded === found.checkpoint?.segments.at(-1);
  // The one that was active then has grown since; its end has to be looked for.
  if (found.isStateLost || recorded === undefined || isLast) return false;
  const fileBytes = fileBytesOf(home, baseOffset);
  if (recorded.sizeBytes === fileBytes) return true;
  const detail = `${baseOffset}: ${fileBytes} bytes instead of ${recorded.sizeBytes}`;
  findings.push({ kind: 'segment-short', detail });
  return false;
}

function scanSegment(
  options: ScanOptions,
  segment: Segment,
  findings: RecoveryFinding[],
): LogCut | null {
  const { home, found, indexIntervalBytes } = options;
  const fileBytes = fileBytesOf(home, segment.baseOffset);
  const believedTo = found.isStateLost ? 0 : found.state.syncedOffset;
  const resumed = segment.resume(fileBytes, believedTo);
  if (!resumed.isOffsetIndexSound) findings.push(indexFinding('offset-index-rebuilt', segment));
  if (!resumed.isTimeIndexSound) findings.push(indexFinding('time-index-rebuilt', segment));
  const judge = new BatchJudge(found, segment);
  const { disk } = home;
  const result = scanBatches(
    disk,
    segment.file,
    segment.sizeBytes,
    fileBytes,
    believedTo,
    (header) => {
      const kind = judge.judge(header);
      if (kind === null) segment.acceptHeader(header, indexIntervalBytes);
      return kind;
    },
  );
  if (segment.nextOffset <= believedTo) segment.markSynced(segment.sizeBytes, 0);
  if (result.damage === null) return null;
  const { kind, position } = result.damage;
  const hasSoundBehind = hasSoundBatchBehind(
    disk,
    segment.file,
    position,
    fileBytes,
    segment.nextOffset,
  );
  const isReplay =
    kind === 'stale-epoch' && found.truncatedAt.some((offset) => offset <= segment.nextOffset);
  return {
    kind: isReplay ? 'truncate-replayed' : caseOf(kind, hasSoundBehind),
    offset: segment.nextOffset,
    hasSoundBehind,
  };
}

/** Accepts the batch that must come next: its offset follows and its epoch is what the marks say. */
class BatchJudge {
  readonly #found: Found;
  readonly #segment: Segment;

  constructor(found: Found, segment: Segment) {
    this.#found = found;
    this.#segment = segment;
  }

  judge(header: BatchHeader): DamageKind | null {
    const { state, isStateLost } = this.#found;
    if (header.baseOffset !== this.#segment.nextOffset) return 'hole';
    if (isStateLost) return this.#learn(state.epochs, header);
    // Below the log's start the history may have been forgotten.
    if (nextOffsetOf(header) <= state.start.offset) return null;
    const expected = epochOfOffset(state.epochs, header.baseOffset);
    if (header.leaderEpoch === expected) return null;
    return header.leaderEpoch < expected ? 'stale-epoch' : 'unknown-epoch';
  }

  /** Without marks each epoch begins, as far as one can know, with its first batch. */
  #learn(epochs: EpochEntry[], header: BatchHeader): DamageKind | null {
    const newest: LeaderEpoch = epochs.at(-1)?.epoch ?? -1;
    if (header.leaderEpoch < newest) return 'stale-epoch';
    if (header.leaderEpoch > newest) {
      const start = { offset: header.baseOffset, marks: epochs.length };
      epochs.push({ epoch: header.leaderEpoch, start });
    }
    return null;
  }
}

function caseOf(kind: DamageKind, hasSoundBehind: boolean): RecoveryCase {
  if (kind !== 'bad-crc' && kind !== 'bad-header') return kind;
  return hasSoundBehind ? 'bad-crc-middle' : 'bad-crc-last';
}

function hasSoundBatch(home: SegmentHome, baseOffset: Offset): boolean {
  const fileBytes = fileBytesOf(home, baseOffset);
  if (fileBytes === 0) return false;
  const file = new Segment(home, baseOffset).file;
  return hasSoundBatchBehind(home.disk, file, -1, fileBytes, baseOffset);
}

function fileBytesOf(home: SegmentHome, baseOffset: Offset): number {
  return Math.max(0, home.disk.fileSize(segmentPath(home.directory, baseOffset, 'log')));
}

function indexFinding(kind: RecoveryCase, segment: Segment): RecoveryFinding {
  return { kind, detail: `segment ${segment.baseOffset}` };
}
