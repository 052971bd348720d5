/**
 * Tells the records of batches as JSON in one native call. Promise: the text is what
 * handlers/http/record-json.ts makes of the same bytes, byte for byte; what takes more than that is
 * null, and left to it. Runs on the calling thread; the rules stand in
 * `native/core/record_teller.h`.
 */
import type { Offset } from '../base/units.js';
import { native } from './addon.js';
import { NATIVE_CONSTANTS } from './constants.js';

export type TellRequest = {
  /** The first record that is told. */
  readonly from: Offset;
  /** Records. */
  readonly max: number;
  /** A record a line; else with commas between them. */
  readonly isLines: boolean;
};

export type Told = {
  readonly records: number;
  /** Where to read on. */
  readonly nextOffset: Offset;
  /** Of the text, to be taken by {@link takeText} before anything else is told. */
  readonly bytes: number;
};

const AT_RECORDS = 0;
const AT_NEXT_OFFSET = 1;
const AT_BYTES = 2;
const DONE = 0;

/** What the last call found; overwritten by the next one. */
const fields = new Float64Array(NATIVE_CONSTANTS.TELL_FIELD_COUNT);
native.setTellFields(fields);

/** Of whole batches in `bytes[start, start + length)`; null: it takes more than this to tell. */
export function tellRecords(
  bytes: Uint8Array,
  start: number,
  length: number,
  { from, max, isLines }: TellRequest,
): Told | null {
  if (native.tellRecords(bytes, start, length, from, max, isLines) !== DONE) return null;
  return {
    records: fields[AT_RECORDS] as number,
    nextOffset: fields[AT_NEXT_OFFSET] as number,
    bytes: fields[AT_BYTES] as number,
  };
}

/** Writes the text that was told last to `into`, from `start` on. */
export function takeText({ bytes }: Told, into: Uint8Array, start: number): void {
  native.takeText(into, start, bytes);
}
