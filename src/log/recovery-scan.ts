/**
 * Second half of recovery: walks the segments from the first one that is not believed, and finds
 * out how far the log is whole. Changes no file; the segments it returns end where the last sound
 * batch ends. Runs once, at open, blocking.
 */
import type { EpochEntry } from '../base/position.js';
import type { LeaderEpoch, Offset } from '../base/units.js';
import type { BatchHeader } from '../records/batch.js';
import { type DamageKind, findSoundBatch, scanBatches } from './batch-scan.js';
import { epochDamage } from './epoch-history.js';
import type { RecoveryCase, RecoveryFinding } from './log-types.js';
import { segmentPath } from './names.js';
import type { Found } from './recovery-state.js';
import type { SegmentSummary } from './replica-state.js';
import { Segment } from './segment.js';
import type { SegmentHome } from './segment-home.js';

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

/**
 * What was synced is believed, but the newest bytes of a log are checked after any stop that was
 * not clean: they are cheap to look at, and a bit that flipped there is repaired from a peer.
 */
const CHECKED_BYTES = 64 << 20;

export type ScanOptions = {
  readonly home: SegmentHome;
  readonly found: Found;
  readonly indexIntervalBytes: number;
  /** Segments that end behind this offset are checked in any case. */
  readonly suspectFrom?: Offset | undefined;
};

export function scanSegments(options: ScanOptions, findings: RecoveryFinding[]): ScannedLog {
  const { home, found, suspectFrom = Number.POSITIVE_INFINITY } = options;
  const { start, promisedOffset } = found.state;
  const { kept, doomed } = splitAtStart(found);
  const segments: Segment[] = [];
  // Without a state the first file says where the log starts.
  const first = kept[0] ?? start.offset;
  let expected = found.isStateLost ? first : Math.min(first, start.offset);
  const checkedFrom = firstChecked(home, kept);
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
    const isChecked = i >= checkedFrom || suspectFrom < (next ?? Number.POSITIVE_INFINITY);
    const believed = believedSummary(options, baseOffset, next, findings);
    if (isChecked || believed === null) {
      const cut = scanSegment(options, segment, isChecked, findings);
      if (cut !== null) {
        const hasSoundBehind =
          cut.hasSoundBehind || behind.slice(1).some((base) => hasSoundBatch(home, base));
        const all = [...doomed, ...behind.slice(1)];
        return { segments, doomed: all, cut: { ...cut, hasSoundBehind } };
      }
    } else segment.adopt(believed, next as Offset);
    expected = segment.nextOffset;
  }
  const isShort = expected < promisedOffset;
  const cut = { kind: 'synced-bytes-missing', offset: expected, hasSoundBehind: false } as const;
  return { segments, doomed, cut: isShort ? cut : null };
}

/**
 * Files that a removal below the log's start, or a reset, has left behind are not kept. The start
 * may have moved on since the reset, into the first file that was written after it.
 */
function splitAtStart({ state, resetTo, baseOffsets }: Found) {
  const startOffset = state.start.offset;
  const kept = baseOffsets.filter((base, i) => {
    const next = baseOffsets[i + 1];
    if (base >= startOffset) return true;
    if (resetTo !== null && base < resetTo) return false;
    return next === undefined || next > startOffset;
  });
  return { kept, doomed: baseOffsets.filter((base) => !kept.includes(base)) };
}

/** Index of the first segment that is checked although it is on disk; see {@link CHECKED_BYTES}. */
function firstChecked(home: SegmentHome, kept: readonly Offset[]): number {
  let bytes = 0;
  for (let i = kept.length - 1; i >= 0; i--) {
    bytes += fileBytesOf(home, kept[i] as Offset);
    if (bytes > CHECKED_BYTES) return i + 1;
  }
  return 0;
}

/** Not null: sealed, wholly below what is on disk, and as long as the checkpoint remembers it. */
function believedSummary(
  { home, found }: ScanOptions,
  baseOffset: Offset,
  nextBase: Offset | undefined,
  findings: RecoveryFinding[],
): SegmentSummary | null {
  if (nextBase === undefined || nextBase > found.state.syncedOffset) return null;
  // What was cut there may have come back, with the length that the checkpoint remembers.
  if (found.truncatedAt.some((offset) => offset <= nextBase)) return null;
  const all = found.checkpoint?.segments ?? [];
  const i = all.findIndex((segment) => segment.baseOffset === baseOffset);
  const recorded = all[i];
  // The one that was active then has grown since; its end has to be looked for. So has the end of
  // one whose successor is not there.
  const isFollowed = all[i + 1]?.baseOffset === nextBase;
  if (found.isStateLost || recorded === undefined || !isFollowed) return null;
  const fileBytes = fileBytesOf(home, baseOffset);
  if (recorded.sizeBytes === fileBytes) return recorded;
  if (fileBytes < recorded.sizeBytes && found.truncatedAt.length === 0) {
    const detail = `${baseOffset}: ${fileBytes} bytes instead of ${recorded.sizeBytes}`;
    findings.push({ kind: 'segment-short', detail });
  }
  return null;
}

function scanSegment(
  options: ScanOptions,
  segment: Segment,
  isChecked: boolean,
  findings: RecoveryFinding[],
): LogCut | null {
  const { home, found, indexIntervalBytes } = options;
  const fileBytes = fileBytesOf(home, segment.baseOffset);
  const syncedOffset = found.isStateLost ? 0 : found.state.syncedOffset;
  const believedTo = isChecked ? 0 : syncedOffset;
  const resumed = segment.resume(fileBytes, believedTo);
  if (!resumed.isOffsetIndexSound) findings.push(indexFinding('offset-index-rebuilt', segment));
  if (!resumed.isTimeIndexSound) findings.push(indexFinding('time-index-rebuilt', segment));
  const { disk } = home;
  const result = scanBatches(
    disk,
    segment.file,
    segment.sizeBytes,
    fileBytes,
    believedTo,
    (header) => {
      const kind = judgeBatch(found, segment.nextOffset, header);
      if (kind === null) segment.acceptHeader(header, indexIntervalBytes);
      return kind;
    },
  );
  if (segment.nextOffset <= syncedOffset) segment.markSynced(segment.sizeBytes, 0);
  // The file may be this short only in the page cache: it is synced before anybody relies on it.
  segment.cuts += 1;
  if (result.damage === null) return null;
  const { kind, position } = result.damage;
  const { file, nextOffset } = segment;
  const hasSoundBehind = findSoundBatch(disk, file, position, fileBytes, nextOffset) !== null;
  const isReplay =
    kind === 'stale-epoch' && found.truncatedAt.some((offset) => offset <= segment.nextOffset);
  return {
    kind: isReplay ? 'truncate-replayed' : caseOf(kind, hasSoundBehind),
    offset: segment.nextOffset,
    hasSoundBehind,
  };
}

/** Accepts the batch that must come next: its offset follows, its epoch is what the marks say. */
function judgeBatch(found: Found, nextOffset: Offset, header: BatchHeader): DamageKind | null {
  const { epochs, start } = found.state;
  if (header.baseOffset !== nextOffset) return 'hole';
  if (found.isStateLost) return learnEpoch(epochs, header);
  return epochDamage(epochs, start.offset, header);
}

/** Without marks each epoch begins, as far as one can know, with its first batch. */
function learnEpoch(epochs: EpochEntry[], header: BatchHeader): DamageKind | null {
  const newest: LeaderEpoch = epochs.at(-1)?.epoch ?? -1;
  if (header.leaderEpoch < newest) return 'stale-epoch';
  if (header.leaderEpoch > newest) {
    const start = { offset: header.baseOffset, marks: epochs.length };
    epochs.push({ epoch: header.leaderEpoch, start });
  }
  return null;
}

function caseOf(kind: DamageKind, hasSoundBehind: boolean): RecoveryCase {
  if (kind !== 'bad-crc' && kind !== 'bad-header') return kind;
  return hasSoundBehind ? 'bad-crc-middle' : 'bad-crc-last';
}

function hasSoundBatch(home: SegmentHome, baseOffset: Offset): boolean {
  const fileBytes = fileBytesOf(home, baseOffset);
  if (fileBytes === 0) return false;
  const file = new Segment(home, baseOffset).file;
  return findSoundBatch(home.disk, file, -1, fileBytes, baseOffset) !== null;
}

function fileBytesOf(home: SegmentHome, baseOffset: Offset): number {
  return Math.max(0, home.disk.fileSize(segmentPath(home.directory, baseOffset, 'log')));
}

function indexFinding(kind: RecoveryCase, segment: Segment): RecoveryFinding {
  return { kind, detail: `segment ${segment.baseOffset}` };
}
