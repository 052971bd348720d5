/**
 * Looks at log files without opening a log: `log verify` and `log dump`. Streams, so that a file of
 * any size takes little memory; changes nothing; trusts no byte. Thread: the caller's.
 */
import type { FilePosition, LeaderEpoch, Offset, WallMs } from '../base/units.js';
import { type BatchHeader, nextOffsetOf } from '../records/batch.js';
import { type Decompress, iterateRecords } from '../records/records.js';
import { type DamageKind, findSoundBatch, scanBatches } from './batch-scan.js';
import type { Disk, DiskFile } from './disk.js';
import { segmentOffsets, segmentPath } from './names.js';

export type FileDamage = { readonly position: FilePosition; readonly kind: DamageKind };

export type FileReport = {
  readonly file: string;
  readonly batches: number;
  /** Of the first batch; the file's name, or -1, when there is none. */
  readonly baseOffset: Offset;
  /** Behind the last batch; equals baseOffset when there is none. */
  readonly nextOffset: Offset;
  readonly bytes: number;
  readonly damage: readonly FileDamage[];
};

/** A batch as `log dump` prints it. */
export type BatchReport = {
  readonly filePosition: FilePosition;
  readonly sizeBytes: number;
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly leaderEpoch: LeaderEpoch;
  readonly attributes: number;
  readonly recordCount: number;
  readonly baseTimestamp: WallMs;
  readonly maxTimestamp: WallMs;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** As the header says; it was checked. */
  readonly crc: number;
  readonly records?: readonly RecordReport[];
};

export type RecordReport = {
  readonly offset: Offset;
  readonly timestamp: WallMs;
  /** base64; null stays null. */
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly { readonly key: string; readonly value: string | null }[];
};

export type VerifyOptions = {
  /** Called for each sound batch, in order. */
  readonly onBatch?: (batch: BatchReport) => void;
  /** Read the records too; a compressed batch needs {@link decompress}. */
  readonly hasRecords?: boolean;
  readonly decompress?: Decompress;
};

const FILE_NAME = /(?:^|\/)(\d{20})\.log$/;
/** Places of damage listed of one file; a file of garbage has no end of them. */
const DAMAGE_MAX = 100;

/** Checks the `.log` files of a partition's folder, also that each goes on where the last ended. */
export function verifyFolder(disk: Disk, directory: string, options: VerifyOptions = {}) {
  const reports: FileReport[] = [];
  for (const baseOffset of segmentOffsets(disk.list(directory))) {
    const report = verifyFile(disk, segmentPath(directory, baseOffset, 'log'), options);
    const before = reports.at(-1);
    const isHole = before !== undefined && before.nextOffset !== baseOffset;
    const damage = isHole
      ? [{ position: 0, kind: 'hole' as const }, ...report.damage]
      : report.damage;
    reports.push({ ...report, damage });
  }
  return reports;
}

/** Checks every batch of one `.log` file. */
export function verifyFile(disk: Disk, path: string, options: VerifyOptions = {}): FileReport {
  const bytes = Math.max(0, disk.fileSize(path));
  const file = disk.openFile(path, 'read');
  try {
    return new FileCheck(disk, file, bytes, options).run();
  } finally {
    disk.close(file);
  }
}

class FileCheck {
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #bytes: number;
  readonly #options: VerifyOptions;
  readonly #named: Offset | null;
  readonly #damage: FileDamage[] = [];
  #batches = 0;
  #baseOffset: Offset = -1;
  #nextOffset: Offset = -1;
  #leaderEpoch: LeaderEpoch = -1;
  /** Behind damage offsets cannot follow on. */
  #isBehindDamage = false;

  constructor(disk: Disk, file: DiskFile, bytes: number, options: VerifyOptions) {
    this.#disk = disk;
    this.#file = file;
    this.#bytes = bytes;
    this.#options = options;
    const match = FILE_NAME.exec(file.path);
    this.#named = match === null ? null : Number(match[1]);
  }

  run(): FileReport {
    let position: FilePosition | null = 0;
    while (position !== null && position < this.#bytes) {
      position = this.#scanFrom(position);
      if (this.#damage.length >= DAMAGE_MAX) break;
    }
    const baseOffset = this.#batches > 0 ? this.#baseOffset : (this.#named ?? -1);
    return {
      file: this.#file.path,
      batches: this.#batches,
      baseOffset,
      nextOffset: this.#batches > 0 ? this.#nextOffset : baseOffset,
      bytes: this.#bytes,
      damage: this.#damage,
    };
  }

  /** Scans up to the next damage; returns where the next sound batch begins, or null. */
  #scanFrom(from: FilePosition): FilePosition | null {
    const { damage } = scanBatches(this.#disk, this.#file, from, this.#bytes, 0, (header, at) => {
      const kind = this.#isBehindDamage ? null : this.#contextFault(header);
      if (kind !== null) this.#damage.push({ position: at, kind });
      this.#isBehindDamage = false;
      this.#accept(header, at);
      return null;
    });
    if (damage === null) return null;
    this.#damage.push(damage);
    this.#isBehindDamage = true;
    const minOffset = Math.max(this.#nextOffset, this.#named ?? 0, 0);
    return findSoundBatch(this.#disk, this.#file, damage.position, this.#bytes, minOffset);
  }

  #contextFault(header: BatchHeader): DamageKind | null {
    const expected = this.#batches > 0 ? this.#nextOffset : this.#named;
    if (expected !== null && header.baseOffset !== expected) return 'hole';
    return header.leaderEpoch < this.#leaderEpoch ? 'stale-epoch' : null;
  }

  #accept(header: BatchHeader, filePosition: FilePosition): void {
    if (this.#batches === 0) this.#baseOffset = header.baseOffset;
    this.#batches += 1;
    this.#nextOffset = nextOffsetOf(header);
    this.#leaderEpoch = Math.max(this.#leaderEpoch, header.leaderEpoch);
    const { onBatch } = this.#options;
    if (onBatch !== undefined) onBatch(this.#describe(header, filePosition));
  }

  #describe(header: BatchHeader, filePosition: FilePosition): BatchReport {
    const { magic: _, ...fields } = header;
    const report = { filePosition, ...fields, lastOffset: nextOffsetOf(header) - 1 };
    const { lastOffsetDelta: __, ...shown } = report;
    if (this.#options.hasRecords !== true) return shown;
    const bytes = Buffer.alloc(header.sizeBytes);
    this.#disk.readAt(this.#file, filePosition, bytes, 0, header.sizeBytes);
    const records: RecordReport[] = [];
    for (const record of iterateRecords(bytes, 0, this.#options.decompress)) {
      const { offset, timestamp, key, value } = record;
      const headers = record.headers.map((h) => ({ key: h.key, value: base64(h.value) }));
      records.push({ offset, timestamp, key: base64(key), value: base64(value), headers });
    }
    return { ...shown, records };
  }
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null
    ? null
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
