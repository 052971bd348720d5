/**
 * Producing in the v2 shape of the known Kafka REST proxies: `{"records": [{"key", "value",
 * "partition"}]}`. Embedded JSON is kept as its JSON text, embedded bytes come as base64; null is
 * null. The answer has one place or one error for each record.
 */
import type { TopicImage } from '../../control/image.js';
import type { RecordInput } from '../../records/batch.js';
import type { HttpContext } from './context.js';
import { Problem } from './problem.js';
import { produceRecords } from './produce.js';
import { sliceList } from './json-slices.js';
import { BASE64, type RecordDraft } from './record-json.js';

/** How keys and values are embedded in JSON. */
export type EmbeddedFormat = 'json' | 'binary';

export type RestRecord = {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly partition?: number | null;
};

export type RestProduceBody = {
  readonly format: EmbeddedFormat;
  readonly records: readonly RestRecord[];
  /** What `records` was parsed from: embedded JSON is kept as it was written. */
  readonly text: string;
};

export type RestPlace = {
  readonly partition: number | null;
  readonly offset: number | null;
  /** 1: do not try again; 2: it may work later, and may have worked. */
  readonly error_code: 1 | 2 | null;
  readonly error: string | null;
};

export type RestProduced = {
  readonly offsets: readonly RestPlace[];
  readonly key_schema_id: null;
  readonly value_schema_id: null;
};

const PRODUCE_MS = 30_000;

/** `partition` null: as the records say, or by key. Throws Problem when nothing was tried. */
export async function produceRest(
  context: HttpContext,
  topic: TopicImage,
  partition: number | null,
  { format, records, text }: RestProduceBody,
): Promise<RestProduced> {
  const embedded =
    format === 'json' ? sliceList(text, 'records').map(jsonOf) : records.map(bytesOf);
  const drafts = embedded.map((input, i): RecordDraft => {
    return { input, partition: partition ?? records[i]?.partition ?? null };
  });
  const query = { partition: null, acks: -1, timeoutMs: PRODUCE_MS } as const;
  const { placed, problem } = await produceRecords(context, topic, drafts, query);
  const failed: RestPlace = {
    partition: null,
    offset: null,
    error_code: (problem?.status ?? 500) >= 500 ? 2 : 1,
    error: problem?.message ?? null,
  };
  const offsets = placed.map((place) =>
    place === null ? failed : { ...place, error_code: null, error: null },
  );
  return { offsets, key_schema_id: null, value_schema_id: null };
}

function jsonOf(members: ReadonlyMap<string, string>): RecordInput {
  const textOf = (name: string): Buffer | null => {
    const text = members.get(name) ?? 'null';
    return text === 'null' ? null : Buffer.from(text);
  };
  return { key: textOf('key'), value: textOf('value') };
}

function bytesOf({ key, value }: RestRecord, i: number): RecordInput {
  const from = (text: unknown, what: string): Buffer | null => {
    if (text === null || text === undefined) return null;
    if (typeof text === 'string' && BASE64.test(text)) return Buffer.from(text, 'base64');
    throw new Problem(422, 'INVALID_BODY', `the ${what} of record ${i} is not base64`);
  };
  return { key: from(key, 'key'), value: from(value, 'value') };
}
