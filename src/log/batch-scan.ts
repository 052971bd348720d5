/**
 * Reads a log file that nobody vouches for: batch by batch, checksum by checksum, with a bounded
 * buffer whatever a length field claims. Recovery and `log verify` share it. Thread: the caller's.
 */
import type { FilePosition, Offset } from '../base/units.js';
import { crc32c } from '../native/crc32c.js';
import {
  BATCH_CRC_START,
  BATCH_HEADER_BYTES,
  type BatchHeader,
  emptyHeader,
  isPlausible,
  readBatchHeader,
} from '../records/batch.js';
import type { Disk, DiskFile } from './disk.js';

/** What is wrong with the bytes at a place; the first four are seen without any context. */
export type DamageKind =
  | 'torn-tail'
  | 'zero-tail'
  | 'bad-header'
  | 'bad-crc'
  | 'hole'
  | 'stale-epoch'
  | 'unknown-epoch';

export type Damage = { readonly position: FilePosition; readonly kind: DamageKind };

/** Judges a batch whose own bytes are sound; null accepts it, a kind ends the scan. */
export type JudgeBatch = (header: BatchHeader, filePosition: FilePosition) => DamageKind | null;

export type ScanResult = {
  /** Where the last accepted batch ends. */
  readonly end: FilePosition;
  readonly damage: Damage | null;
};

const WINDOW_BYTES_MAX = 256 << 10;
const MAGIC_AT = 16;
const MAGIC = 2;

/** A window onto a file that moves with the reader. */
class Window {
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #end: FilePosition;
  readonly bytes: Buffer;
  #start = 0;
  #stop = 0;

  constructor(disk: Disk, file: DiskFile, from: FilePosition, end: FilePosition) {
    this.#disk = disk;
    this.#file = file;
    this.#end = end;
    this.bytes = Buffer.allocUnsafe(Math.max(0, Math.min(WINDOW_BYTES_MAX, end - from)));
  }

  /** Index in `bytes` of a range of the file; false when it does not fit or the file is shorter. */
  has(position: FilePosition, length: number): boolean {
    const size = this.bytes.length;
    if (length > size || position + length > this.#end) return false;
    if (position < this.#start || position + length > this.#stop) {
      const wanted = Math.min(size, this.#end - position);
      const count = this.#disk.readAt(this.#file, position, this.bytes, 0, wanted);
      this.#start = position;
      this.#stop = position + count;
    }
    return position + length <= this.#stop;
  }

  indexOf(position: FilePosition): number {
    return position - this.#start;
  }

  /** Bytes in the window from `position` on. */
  get stop(): FilePosition {
    return this.#stop;
  }

  /** CRC32C of a range of any length, in pieces. */
  checksum(position: FilePosition, length: number): number | null {
    let crc = 0;
    for (let done = 0; done < length; ) {
      const piece = Math.min(this.bytes.length, length - done);
      if (!this.has(position + done, piece)) return null;
      crc = crc32c(this.bytes, this.indexOf(position + done), piece, crc);
      done += piece;
    }
    return crc;
  }
}

/**
 * Scans `[from, end)`. Checksums are only looked at from `checksumsFrom` on. Stops at the first
 * damage.
 */
export function scanBatches(
  disk: Disk,
  file: DiskFile,
  from: FilePosition,
  end: FilePosition,
  checksumsFrom: Offset,
  judge: JudgeBatch,
): ScanResult {
  const window = new Window(disk, file, from, end);
  const header = emptyHeader();
  let position = from;
  while (position < end) {
    const kind = lookAt(window, position, end, checksumsFrom, header) ?? judge(header, position);
    if (kind !== null) {
      // The first bytes of a torn header are zeros too.
      const isZero = kind === 'bad-header' && isAllZero(window, position, end);
      return { end: position, damage: { position, kind: isZero ? 'zero-tail' : kind } };
    }
    position += header.sizeBytes;
  }
  return { end: position, damage: null };
}

/** Where the first sound batch with an offset of at least `minOffset` begins behind `position`. */
export function findSoundBatch(
  disk: Disk,
  file: DiskFile,
  position: FilePosition,
  end: FilePosition,
  minOffset: Offset,
): FilePosition | null {
  const window = new Window(disk, file, position, end);
  const header = emptyHeader();
  let at = position + 1;
  while (at + BATCH_HEADER_BYTES <= end && window.has(at, BATCH_HEADER_BYTES)) {
    const magic = window.bytes.indexOf(MAGIC, window.indexOf(at) + MAGIC_AT);
    const candidate = magic < 0 ? -1 : at + magic - MAGIC_AT - window.indexOf(at);
    if (candidate < 0 || candidate + BATCH_HEADER_BYTES > window.stop) {
      // Nothing in the rest of the window: go on where a header could still begin.
      at = Math.max(at + 1, window.stop - BATCH_HEADER_BYTES + 1);
      continue;
    }
    readBatchHeader(window.bytes, window.indexOf(candidate), header);
    const isLikely = header.baseOffset >= minOffset && isPlausible(header);
    if (isLikely && lookAt(window, candidate, end, 0, header) === null) return candidate;
    at = candidate + 1;
  }
  return null;
}

function lookAt(
  window: Window,
  position: FilePosition,
  end: FilePosition,
  checksumsFrom: Offset,
  header: BatchHeader,
): DamageKind | null {
  if (!window.has(position, BATCH_HEADER_BYTES)) return 'torn-tail';
  readBatchHeader(window.bytes, window.indexOf(position), header);
  if (!isPlausible(header)) return 'bad-header';
  if (position + header.sizeBytes > end) return 'torn-tail';
  if (header.baseOffset < checksumsFrom) return null;
  const covered = header.sizeBytes - BATCH_CRC_START;
  const crc = window.checksum(position + BATCH_CRC_START, covered);
  return crc === header.crc ? null : 'bad-crc';
}

function isAllZero(window: Window, position: FilePosition, end: FilePosition): boolean {
  for (let at = position; at < end; ) {
    const length = Math.min(window.bytes.length, end - at);
    if (!window.has(at, length)) return false;
    const start = window.indexOf(at);
    for (let i = start; i < start + length; i++) if (window.bytes[i] !== 0) return false;
    at += length;
  }
  return true;
}
