/**
 * Copies of a partition on several nodes, byte for byte over all that a client may read (R3). A
 * copy that begins late or ends early is a violation, too. Pure; it looks at the bytes plainly, not
 * through the code that wrote them.
 */
import type { Violation } from './violation.js';

export type Copy = {
  readonly node: number;
  /** Record batches one after another, as they lie in the segments. */
  readonly bytes: Buffer;
};

const BASE_OFFSET_AT = 0;
const LENGTH_AT = 8;
const LAST_OFFSET_DELTA_AT = 23;
const HEADER_BYTES = 61;
/** `batchLength` counts what comes after itself. */
const LENGTH_OVERHEAD = 12;

export type Readable = { readonly logStartOffset: number; readonly highWatermark: number };

export function compareCopies(
  partition: string,
  { logStartOffset, highWatermark }: Readable,
  copies: readonly Copy[],
): Violation[] {
  const violations: Violation[] = [];
  const report = (text: string): void => {
    violations.push({ id: 'R3', text: `${partition}: ${text}` });
  };
  if (logStartOffset === highWatermark) return violations;
  const ranges = copies.map(({ node, bytes }) => {
    const range = sliceBetween(bytes, logStartOffset, highWatermark);
    if (range.firstOffset !== logStartOffset || range.nextOffset !== highWatermark) {
      const has = `node ${node} has ${range.firstOffset} to ${range.nextOffset}`;
      report(`${has}, readable is ${logStartOffset} to ${highWatermark}`);
    }
    return { node, bytes: range.bytes };
  });
  const [model, ...others] = ranges;
  for (const other of others) {
    if (model === undefined || model.bytes.equals(other.bytes)) continue;
    const at = firstDifference(model.bytes, other.bytes);
    report(`nodes ${model.node} and ${other.node} differ ${at} bytes after the log start`);
  }
  return violations;
}

/** Batches from the one that begins at or after `from`, up to the one that ends at `to`. */
function sliceBetween(bytes: Buffer, from: number, to: number) {
  let begin = 0;
  let at = 0;
  let firstOffset = -1;
  let nextOffset = -1;
  while (bytes.length - at >= HEADER_BYTES) {
    const baseOffset = Number(bytes.readBigInt64BE(at + BASE_OFFSET_AT));
    const end = at + LENGTH_OVERHEAD + bytes.readInt32BE(at + LENGTH_AT);
    if (baseOffset >= to || end > bytes.length || end <= at) break;
    if (firstOffset < 0 && baseOffset >= from) {
      begin = at;
      firstOffset = baseOffset;
    }
    nextOffset = baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1;
    at = end;
  }
  const isFound = firstOffset >= 0;
  return { bytes: bytes.subarray(isFound ? begin : at, at), firstOffset, nextOffset };
}

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}
