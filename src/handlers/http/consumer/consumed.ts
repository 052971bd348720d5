/**
 * Records as a consumer instance gives them, in the v2 shape: embedded JSON stands in the answer as
 * it was written, embedded bytes are base64. Pure.
 */
import { Buffer } from 'node:buffer';
import type { LogRecord } from '../../../records/records.js';
import { Problem } from '../problem.js';
import type { EmbeddedFormat } from '../rest-produce.js';
import type { TopicPartition } from './owned.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One element of the answer. Throws Problem 422 for a record that is none in this format. */
export function consumedText(
  format: EmbeddedFormat,
  { topic, partition }: TopicPartition,
  { key, value, offset }: LogRecord,
): string {
  const where = `${topic}-${partition} at offset ${offset}`;
  const embed = format === 'json' ? jsonOf : base64Of;
  return (
    `{"topic":${JSON.stringify(topic)},"key":${embed(key, `the key of ${where}`)},` +
    `"value":${embed(value, `the value of ${where}`)},` +
    `"partition":${partition},"offset":${offset}}`
  );
}

function base64Of(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null';
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}"`;
}

function jsonOf(bytes: Uint8Array | null, what: string): string {
  if (bytes === null) return 'null';
  try {
    const text = utf8.decode(bytes);
    JSON.parse(text);
    return text;
  } catch {
    const text = `${what} is no JSON: read with format binary, or move on with …/positions`;
    throw new Problem(422, 'NOT_JSON', text);
  }
}
