/**
 * How much of a log may go. A decision, nothing else: it reads numbers and returns an offset, which
 * becomes true for clients only when a majority has committed it. Whole segments at a time, oldest
 * first, and never anything at or above the high watermark. Pure.
 */
import type { Offset, WallMs } from '../base/units.js';

export type RetainedSegment = {
  /** Offset behind the segment's last record. */
  readonly nextOffset: Offset;
  readonly sizeBytes: number;
  /** Largest timestamp of its records; -1 when they carry none. */
  readonly maxTimestamp: WallMs;
};

export type RetentionRules = {
  /** -1 for no bound. */
  readonly retentionBytes: number;
  /** -1 for no bound. */
  readonly retentionMs: number;
};

/** The new log start offset, or null when nothing has to go. `segments` are oldest first. */
export function proposeLogStart(
  segments: readonly RetainedSegment[],
  rules: RetentionRules,
  nowMs: WallMs,
  highWatermark: Offset,
): Offset | null {
  let excessBytes = rules.retentionBytes < 0 ? -1 : totalBytes(segments) - rules.retentionBytes;
  let proposed: Offset | null = null;
  for (const segment of segments) {
    if (segment.sizeBytes === 0 || segment.nextOffset > highWatermark) break;
    const isTooMuch = excessBytes >= segment.sizeBytes;
    if (!isTooMuch && !isTooOld(segment, rules.retentionMs, nowMs)) break;
    excessBytes -= segment.sizeBytes;
    proposed = segment.nextOffset;
  }
  return proposed;
}

function totalBytes(segments: readonly RetainedSegment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function isTooOld(segment: RetainedSegment, retentionMs: number, nowMs: WallMs): boolean {
  if (retentionMs < 0) return false;
  // Records without a time never grow old; their bytes are bounded by retention.bytes alone.
  return segment.maxTimestamp >= 0 && nowMs - segment.maxTimestamp > retentionMs;
}
