/**
 * `consume -f FORMAT` with kcat's letters, compiled once and then applied to every record. Pure.
 *
 *     %v %s value   %k key   %t topic   %p partition   %o offset   %T timestamp (ms)   %h headers
 *     %S %V bytes of the value, %K of the key (-1 for null)   %R value's as int32   %% percent
 */
import type { LogRecord } from '../records/records.js';
import { unescape, usage } from './options.js';

export type RecordContext = { readonly topic: string; readonly partition: number };
export type RecordFormatter = (
  record: LogRecord,
  context: RecordContext,
  out: Uint8Array[],
) => void;

type Part = (record: LogRecord, context: RecordContext) => string | Uint8Array | null;

const LETTERS: Readonly<Record<string, Part>> = {
  v: (record) => record.value,
  s: (record) => record.value,
  k: (record) => record.key,
  t: (_, context) => context.topic,
  p: (_, context) => String(context.partition),
  o: (record) => String(record.offset),
  T: (record) => String(record.timestamp),
  h: (record) => headerText(record),
  S: (record) => String(record.value?.length ?? -1),
  V: (record) => String(record.value?.length ?? -1),
  K: (record) => String(record.key?.length ?? -1),
  R: (record) => lengthBytes(record.value?.length ?? -1),
  '%': () => '%',
};

/** Throws LograftError USAGE for a letter that means nothing. */
export function compileFormat(format: string): RecordFormatter {
  const parts: (Part | Buffer)[] = [];
  let rest = format;
  while (rest !== '') {
    const percent = rest.indexOf('%');
    const literal = percent === -1 ? rest : rest.slice(0, percent);
    if (literal !== '') parts.push(Buffer.from(unescape(literal), 'utf8'));
    if (percent === -1) break;
    const letter = rest.charAt(percent + 1);
    const part = LETTERS[letter];
    if (part === undefined) {
      throw usage(
        `-f ${format}: %${letter} means nothing`,
        `known: %${Object.keys(LETTERS).join(' %')}`,
      );
    }
    parts.push(part);
    rest = rest.slice(percent + 2);
  }
  return (record, context, out) => {
    for (const part of parts) {
      const piece = typeof part === 'function' ? part(record, context) : part;
      if (piece === null || piece.length === 0) continue;
      out.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
    }
  };
}

/** One JSON document a record; bytes that are no UTF-8 text appear under `…Base64`. */
export const formatJson: RecordFormatter = (record, context, out) => {
  const document = {
    topic: context.topic,
    partition: context.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    ...textOrBase64('key', record.key),
    ...textOrBase64('value', record.value),
    headers: record.headers.map(({ key, value }) => ({ key, ...textOrBase64('value', value) })),
  };
  out.push(Buffer.from(`${JSON.stringify(document)}\n`));
};

function textOrBase64(name: string, bytes: Uint8Array | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null };
  try {
    return { [name]: utf8.decode(bytes) };
  } catch {
    return { [name]: null, [`${name}Base64`]: Buffer.from(bytes).toString('base64') };
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function headerText(record: LogRecord): string {
  return record.headers
    .map(({ key, value }) => `${key}=${value === null ? 'NULL' : Buffer.from(value).toString()}`)
    .join(',');
}

function lengthBytes(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(length);
  return bytes;
}
