/**
 * A snapshot of the cluster image: the same bytes in the file `<offset>-<epoch>.checkpoint` beside
 * the metadata log and in the message to a node that fell behind. Its one promise: bytes that are
 * not exactly what was written are refused as a whole, never read as an image with something
 * missing.
 *
 *      0        4         8              40        48       56        60
 *      ┌────────┬─────────┬──────────────┬─────────┬────────┬─────────┬────────┬─────────────┐
 *      │ "LGSN" │ version │ SHA-256 of   │ offset  │ marks  │ leader  │ length │ image       │
 *      │        │ u32     │ all the rest │ i64     │ i64    │ epoch i32 u32    │ (msgpack)   │
 *      └────────┴─────────┴──────────────┴─────────┴────────┴─────────┴────────┴─────────────┘
 *                                        64 = start of the image; all numbers big-endian
 *
 * A strong hash rather than a CRC: snapshots are few, and a wrong one would mislead a whole node.
 */
import { createHash } from 'node:crypto';
import { assert } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import type { Position } from '../base/position.js';
import type { LeaderEpoch } from '../base/units.js';
import type { ClusterImage } from './image.js';
import { decodeImage, encodeImage } from './image-codec.js';

export type Snapshot = {
  /** Everything below is in the image: `position.offset === image.appliedOffset`. */
  readonly position: Position;
  readonly leaderEpoch: LeaderEpoch;
  readonly image: ClusterImage;
};

const MAGIC = 'LGSN';
const VERSION = 0;
const HASH_AT = 8;
const COVERED_AT = 40;
const HEADER_BYTES = 64;
const NAME = /^(\d{20})-(\d{10})\.checkpoint$/;

export function encodeSnapshot({ position, leaderEpoch, image }: Snapshot): Buffer {
  const payload = encodeImage(image);
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32BE(VERSION, 4);
  bytes.writeBigInt64BE(BigInt(position.offset), 40);
  bytes.writeBigInt64BE(BigInt(position.marks), 48);
  bytes.writeInt32BE(leaderEpoch, 56);
  bytes.writeUInt32BE(payload.length, 60);
  bytes.set(payload, HEADER_BYTES);
  bytes.set(hashOf(bytes), HASH_AT);
  return bytes;
}

/** What is wrong with bytes that are not a whole snapshot. */
export type Damage = { readonly damage: string };

/** @throws LograftError CORRUPT when the bytes are whole but of a newer format */
export function decodeSnapshot(source: Uint8Array): Snapshot | Damage {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  if (bytes.length < HEADER_BYTES) return { damage: `only ${bytes.length} bytes` };
  if (bytes.toString('latin1', 0, 4) !== MAGIC) return { damage: 'it does not begin with LGSN' };
  const length = bytes.readUInt32BE(60);
  if (bytes.length !== HEADER_BYTES + length) {
    return { damage: `${bytes.length} bytes instead of ${HEADER_BYTES + length}` };
  }
  if (!hashOf(bytes).equals(bytes.subarray(HASH_AT, COVERED_AT))) {
    return { damage: 'its checksum does not match' };
  }
  const version = bytes.readUInt32BE(4);
  if (version !== VERSION) throw newerVersion(version);
  const position = {
    offset: Number(bytes.readBigInt64BE(40)),
    marks: Number(bytes.readBigInt64BE(48)),
  };
  const image = decodeImage(bytes.subarray(HEADER_BYTES));
  assert(image.appliedOffset === position.offset, 'a snapshot was taken at its image', position);
  return { position, leaderEpoch: bytes.readInt32BE(56), image };
}

export function snapshotName({ position, leaderEpoch }: Omit<Snapshot, 'image'>): string {
  const offset = String(position.offset).padStart(20, '0');
  return `${offset}-${String(leaderEpoch).padStart(10, '0')}.checkpoint`;
}

/** Snapshot files of a folder listing, newest first. */
export function snapshotNames(listing: readonly string[]): string[] {
  return listing
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
}

/** Offset that a snapshot's file name states. */
export function snapshotOffset(name: string): number {
  return Number(NAME.exec(name)?.[1]);
}

function hashOf(bytes: Buffer): Buffer {
  return createHash('sha256')
    .update(bytes.subarray(0, HASH_AT))
    .update(bytes.subarray(COVERED_AT))
    .digest();
}

function newerVersion(version: number): LograftError {
  return new LograftError(
    'CORRUPT',
    `metadata snapshot of format version ${version} (known: ${VERSION})`,
    'a newer lograft wrote it: start this node with that version or newer',
  );
}
