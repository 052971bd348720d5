/**
 * Headers of a stream, and parts of it by `Range` (RFC 9110 §14): one range of bytes. Several at
 * once, or units that we do not know, are answered with the whole, as the standard allows.
 */
import { Problem } from '../../handlers/http/problem.js';
import type { Extent } from '../../handlers/http/stream.js';

export const BATCHES_TYPE = 'application/vnd.lograft.batches';

/** First byte and byte behind the last. */
export type ByteRange = { readonly start: number; readonly end: number };

/** Null: the whole. */
export function byteRange(
  header: string | null | undefined,
  bytes: number,
): ByteRange | null | 'unsatisfiable' {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (found === null) return null;
  const [, first = '', last = ''] = found;
  if (first === '' && last === '') return null;
  if (first === '') {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? 'unsatisfiable' : { start: bytes - length, end: bytes };
  }
  const start = Number(first);
  const end = last === '' ? bytes : Math.min(Number(last) + 1, bytes);
  if (last !== '' && Number(last) < start) return null;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}

export function rangeProblem(bytes: number): Problem {
  const text = `the stream has ${bytes} bytes`;
  return new Problem(416, 'RANGE_NOT_SATISFIABLE', text, { bytes });
}

export function streamHeaders(
  extent: Extent,
  range: ByteRange | null,
  isFollowing: boolean,
): Record<string, string | number> {
  const { firstOffset, nextOffset, bytes, leaderEpoch, highWatermark, logStartOffset } = extent;
  return {
    'content-type': BATCHES_TYPE,
    'cache-control': 'no-store',
    'lograft-first-offset': firstOffset,
    ...(isFollowing ? {} : { 'lograft-next-offset': nextOffset }),
    'lograft-leader-epoch': leaderEpoch,
    'lograft-high-watermark': highWatermark,
    'lograft-log-start-offset': logStartOffset,
    ...(isFollowing ? {} : lengthHeaders(range, bytes)),
  };
}

function lengthHeaders(range: ByteRange | null, bytes: number): Record<string, string | number> {
  if (range === null) return { 'content-length': bytes, 'accept-ranges': 'bytes' };
  const { start, end } = range;
  return {
    'content-length': end - start,
    'content-range': `bytes ${start}-${end - 1}/${bytes}`,
    'accept-ranges': 'bytes',
  };
}

export async function* skipBytes(
  pieces: AsyncIterable<Uint8Array>,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of pieces) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, piece.length);
    at += piece.length;
    if (from < to) yield piece.subarray(from, to);
    if (at >= end) return;
  }
}

/** The same pieces, the next one on its way while this one is sent. */
export async function* readAhead(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let next = pieces.next();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = pieces.next();
      // Thrown to the one who waits for it; when nobody does any more it does not matter.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await pieces.return(undefined);
  }
}
