/**
 * The least of a zip reader that gets the text of single entries out of a jar, so that no tool need
 * be installed.
 *
 *     local header + data …  | central directory: one header per entry | end record
 *                                       50 4b 01 02                      50 4b 05 06
 *
 * Only stored and deflated entries, no zip64. For tests.
 */
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

const END_RECORD = 0x06054b50;
const END_RECORD_BYTES = 22;
const CENTRAL_HEADER = 0x02014b50;
const CENTRAL_HEADER_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

/** Reads the entries whose name `isWanted` accepts, as text by name. */
export function readZip(path: string, isWanted: (name: string) => boolean): Map<string, string> {
  const zip = readFileSync(path);
  const end = zip.lastIndexOf(littleEndian(END_RECORD));
  if (end < 0 || end + END_RECORD_BYTES > zip.length) throw new Error(`${path} is not a zip file`);
  const count = zip.readUInt16LE(end + 10);
  const entries = new Map<string, string>();
  let at = zip.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    if (zip.readUInt32LE(at) !== CENTRAL_HEADER) throw new Error(`${path}: bad entry at ${at}`);
    const nameBytes = zip.readUInt16LE(at + 28);
    const name = zip.toString(
      'utf8',
      at + CENTRAL_HEADER_BYTES,
      at + CENTRAL_HEADER_BYTES + nameBytes,
    );
    if (isWanted(name)) entries.set(name, readEntry(zip, at));
    at += CENTRAL_HEADER_BYTES + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}

function readEntry(zip: Buffer, header: number): string {
  const method = zip.readUInt16LE(header + 10);
  const bytes = zip.readUInt32LE(header + 20);
  const local = zip.readUInt32LE(header + 42);
  // The local header has its own lengths of name and extra field.
  const data =
    local + LOCAL_HEADER_BYTES + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const raw = zip.subarray(data, data + bytes);
  if (method === STORED) return raw.toString();
  if (method === DEFLATED) return inflateRawSync(raw).toString();
  throw new Error(`zip method ${method}`);
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
