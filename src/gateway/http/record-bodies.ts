/**
 * Bodies of many records, lines of JSON or an array of JSON, and what is wrong with them: the one
 * place that says so. Native code cuts the same bodies (cut-bodies.ts); what it does not take is
 * read here. Pure.
 */
import { lazily } from '../../base/lazily.js';
import { HTTP_RECORDS_MAX } from '../../base/limits.js';
import { JsonSlice } from '../../handlers/http/json-slices.js';
import { badRequest } from '../../handlers/http/problem.js';
import { type RecordDraft, recordFromJson } from '../../handlers/http/record-json.js';
import { JSON_TYPE, linesOf, mediaType, NDJSON_TYPE, parseJson, textOf } from './body.js';

export type ManyFormat = 'lines' | 'array';

/** White space that may stand before an array. */
const LEADING_MAX = 64;

/** Null: the body is one record. */
export function formatOf(contentType: string, body: Buffer): ManyFormat | null {
  const type = mediaType(contentType);
  if (type === NDJSON_TYPE) return 'lines';
  if (type !== JSON_TYPE) return null;
  return body.toString('utf8', 0, LEADING_MAX).trimStart().startsWith('[') ? 'array' : null;
}

/** Throws Problem 400, which names the first line or record that is wrong. */
export function draftsOfMany(body: Buffer, format: ManyFormat): RecordDraft[] {
  return format === 'lines' ? draftsOfLines(body) : draftsOfArray(body);
}

function draftsOfLines(body: Buffer): RecordDraft[] {
  const drafts: RecordDraft[] = [];
  for (const { line, number } of linesOf(body)) {
    if (drafts.length === HTTP_RECORDS_MAX) throw tooMany();
    const where = `line ${number}`;
    drafts.push(recordFromJson(parseJson(line, where), sliceOf(line), where));
  }
  return drafts;
}

function draftsOfArray(body: Buffer): RecordDraft[] {
  const text = textOf(body, 'the body');
  const records = parseJson(text, 'the body') as unknown[];
  if (records.length > HTTP_RECORDS_MAX) throw tooMany();
  const whole = sliceOf(text);
  return records.map((record, i) =>
    recordFromJson(record, () => whole().element(i), `record ${i}`),
  );
}

/** Most texts are not looked at again. */
function sliceOf(text: string): () => JsonSlice {
  return lazily(() => new JsonSlice(text));
}

function tooMany() {
  return badRequest(`more than ${HTTP_RECORDS_MAX} records in one request`);
}
