/**
 * The head of a plain HTTP/1.1 request, read where it lies: a GET or POST of a path, with a length
 * if it has a body, and nothing that asks for more. Its one promise: a RequestHead says what Node's
 * own parser would say of the same bytes; whatever is not surely that kind is 'other' and is left,
 * untouched, for Node to judge. Pure; any thread.
 *
 *   GET /topics/orders?x=1 HTTP/1.1 CRLF        method SP target SP version
 *   Name: value CRLF                            token ":" spaces value spaces; at most 64
 *   CRLF                                        here the head ends (`headBytes`)
 */
import { HTTP_HEAD_BYTES_MAX, HTTP_HEAD_HEADERS_MAX } from '../../base/limits.js';

export type RequestHead = {
  readonly method: 'GET' | 'POST';
  /** The target up to the '?', as it was sent: decodable, without control characters. */
  readonly path: string;
  /** Behind the '?', as it was sent; '' when there is none. */
  readonly query: string;
  /** Up to and including the empty line. */
  readonly headBytes: number;
  /** 0 when the request did not say; a POST did. */
  readonly contentLength: number;
  readonly contentType: string | null;
  readonly accept: string | null;
  readonly range: string | null;
  /** Whether the client may send another request on this connection. */
  readonly isKeepAlive: boolean;
};

/** Answers of the steps below where others are positions in the buffer. */
const INCOMPLETE = -1;
const OTHER = -2;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const PERCENT = 0x25;
const SLASH = 0x2f;
const ZERO = 0x30;
const COLON = 0x3a;
const LOWER_CASE = 0x20;

/** Where a byte may stand; CLASSES[byte] is a sum of these. */
const IN_NAME = 1;
const IN_TARGET = 2;
const IN_VALUE = 4;
const IN_LENGTH = 8;
const IN_CONNECTION = 16;
const IS_HEX = 32;
const CLASSES = classes();

/** Headers that matter here. All but the last are welcome once. */
const HOST = 1;
const CONTENT_LENGTH = 2;
const CONTENT_TYPE = 4;
const ACCEPT = 8;
const RANGE = 16;
const CONNECTION = 32;
const UNWELCOME = 64;
const NO_MATTER = 0;
const NAMES_BY_LENGTH = namesByLength([
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['content-type', CONTENT_TYPE],
  ['accept', ACCEPT],
  ['range', RANGE],
  ['connection', CONNECTION],
  ['authorization', UNWELCOME],
  ['content-encoding', UNWELCOME],
  ['expect', UNWELCOME],
  // Node's parser takes it for another spelling of Connection.
  ['proxy-connection', UNWELCOME],
  ['transfer-encoding', UNWELCOME],
  ['upgrade', UNWELCOME],
]);

const GET = Buffer.from('GET ');
const POST = Buffer.from('POST ');
const VERSION_LINE = Buffer.from(' HTTP/1.1\r\n');
/** More digits could be more than a number can hold exactly. */
const LENGTH_DIGITS_MAX = 15;

/**
 * Reads the head that begins at `start`. 'incomplete': it may still become a plain request, and is
 * shorter than the bound. 'other': it will not, whatever follows.
 */
export function readRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
): RequestHead | 'incomplete' | 'other' {
  const isFull = end - start >= HTTP_HEAD_BYTES_MAX;
  const head = readHead(bytes, start, isFull ? start + HTTP_HEAD_BYTES_MAX : end);
  if (head === OTHER) return 'other';
  if (head === INCOMPLETE) return isFull ? 'other' : 'incomplete';
  return head;
}

type Verdict = typeof INCOMPLETE | typeof OTHER;

function readHead(bytes: Buffer, start: number, end: number): RequestHead | Verdict {
  if (start === end) return INCOMPLETE;
  const isPost = bytes[start] === POST[0];
  const targetAt = expect(isPost ? POST : GET, bytes, start, end);
  if (targetAt < 0) return targetAt as Verdict;
  const targetEnd = targetEndOf(bytes, targetAt, end);
  if (targetEnd < 0) return targetEnd as Verdict;
  const target = textOf(bytes, targetAt, targetEnd);
  if (target.includes('%') && !isDecodable(target)) return OTHER;
  const headersAt = expect(VERSION_LINE, bytes, targetEnd, end);
  if (headersAt < 0) return headersAt as Verdict;
  const head = newHead(isPost, target);
  const headEnd = readHeaders(bytes, headersAt, end, head);
  if (headEnd < 0) return headEnd as Verdict;
  head.headBytes = headEnd - start;
  return head;
}

type HeadInWork = { -readonly [Field in keyof RequestHead]: RequestHead[Field] };

function newHead(isPost: boolean, target: string): HeadInWork {
  const mark = target.indexOf('?');
  return {
    method: isPost ? 'POST' : 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headBytes: 0,
    contentLength: 0,
    contentType: null,
    accept: null,
    range: null,
    isKeepAlive: true,
  };
}

/** The position behind `expected`, which begins at `at`. */
function expect(expected: Buffer, bytes: Buffer, at: number, end: number): number {
  const { length } = expected;
  for (let i = 0; i < length; i++) {
    if (at + i === end) return INCOMPLETE;
    if (bytes[at + i] !== expected[i]) return OTHER;
  }
  return at + length;
}

/** The position of the space behind a target in origin form. */
function targetEndOf(bytes: Buffer, from: number, end: number): number {
  if (from === end) return INCOMPLETE;
  if (bytes[from] !== SLASH) return OTHER;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (!isIn(byte, IN_TARGET)) return byte === SPACE ? at : OTHER;
    if (byte !== PERCENT) continue;
    for (let digit = 0; digit < 2; digit++) {
      if (++at === end) return INCOMPLETE;
      if (!isIn(bytes[at] as number, IS_HEX)) return OTHER;
    }
  }
  return INCOMPLETE;
}

/** Whether the percent-encoding stands for UTF-8 without control characters. */
function isDecodable(target: string): boolean {
  try {
    return !/\p{Cc}/u.test(decodeURIComponent(target));
  } catch {
    return false;
  }
}

/** Fills in what the headers say; the position behind the empty line. */
function readHeaders(bytes: Buffer, from: number, end: number, head: HeadInWork): number {
  let seen = 0;
  let count = 0;
  for (let at = from; at < end; count++) {
    if (bytes[at] === CR) {
      const isPlain = (seen & HOST) !== 0 && (head.method === 'GET' || seen & CONTENT_LENGTH) !== 0;
      if (!isPlain) return OTHER;
      return lineEndOf(bytes, at, end);
    }
    if (count === HTTP_HEAD_HEADERS_MAX) return OTHER;
    const colon = nameEndOf(bytes, at, end);
    if (colon < 0) return colon;
    const name = nameOf(bytes, at, colon);
    if (name === UNWELCOME || (seen & name) !== 0) return OTHER;
    seen |= name;
    const valueEnd = valueEndOf(bytes, colon + 1, end, allowedIn(name));
    if (valueEnd < 0) return valueEnd;
    if (name !== NO_MATTER && !take(name, bytes, colon + 1, valueEnd, head)) return OTHER;
    at = lineEndOf(bytes, valueEnd, end);
    if (at < 0) return at;
  }
  return INCOMPLETE;
}

/** The position behind the CRLF that begins at `at` with its CR. */
function lineEndOf(bytes: Buffer, at: number, end: number): number {
  if (at + 1 === end) return INCOMPLETE;
  return bytes[at + 1] === LF ? at + 2 : OTHER;
}

function nameEndOf(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (!isIn(byte, IN_NAME)) return byte === COLON && at > from ? at : OTHER;
  }
  return INCOMPLETE;
}

/** The position of the CR behind a value. */
function valueEndOf(bytes: Buffer, from: number, end: number, allowed: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (!isIn(byte, allowed)) return byte === CR ? at : OTHER;
  }
  return INCOMPLETE;
}

function allowedIn(name: number): number {
  if (name === CONTENT_LENGTH) return IN_LENGTH;
  return name === CONNECTION ? IN_CONNECTION : IN_VALUE;
}

function nameOf(bytes: Buffer, from: number, end: number): number {
  const candidates = NAMES_BY_LENGTH[end - from];
  if (candidates === undefined) return NO_MATTER;
  for (const { lowerCase, name } of candidates) {
    let i = 0;
    // Among the bytes of a name the bit changes nothing but capitals, '^' and '_'.
    while (i < lowerCase.length && ((bytes[from + i] as number) | LOWER_CASE) === lowerCase[i]) i++;
    if (i === lowerCase.length) return name;
  }
  return NO_MATTER;
}

/** Keeps the value of a header that matters; false when it is not one that a plain request has. */
function take(name: number, bytes: Buffer, from: number, to: number, head: HeadInWork): boolean {
  let start = from;
  let end = to;
  while (start < end && bytes[start] === SPACE) start++;
  while (end > start && bytes[end - 1] === SPACE) end--;
  switch (name) {
    case HOST:
      return start < end;
    case CONTENT_LENGTH:
      head.contentLength = lengthOf(bytes, start, end);
      return head.contentLength >= 0;
    case CONTENT_TYPE:
      head.contentType = textOf(bytes, start, end);
      return true;
    case ACCEPT:
      head.accept = textOf(bytes, start, end);
      return true;
    case RANGE:
      head.range = textOf(bytes, start, end);
      return true;
    default: {
      const wish = textOf(bytes, start, end).toLowerCase();
      head.isKeepAlive = wish === 'keep-alive';
      return head.isKeepAlive || wish === 'close';
    }
  }
}

/** The number in digits, or -1. */
function lengthOf(bytes: Buffer, start: number, end: number): number {
  if (start === end || end - start > LENGTH_DIGITS_MAX) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === SPACE) return -1;
    value = value * 10 + byte - ZERO;
  }
  return value;
}

function textOf(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}

function isIn(byte: number, allowed: number): boolean {
  return ((CLASSES[byte] as number) & allowed) !== 0;
}

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (characters: RegExp, where: number): void => {
    for (let byte = 0; byte < 256; byte++) {
      if (characters.test(String.fromCharCode(byte))) table[byte] = (table[byte] ?? 0) | where;
    }
  };
  add(/[\w!#$%&'*+.^`|~-]/, IN_NAME);
  add(/[!-~]/, IN_TARGET);
  table[0x23] = (table[0x23] ?? 0) & ~IN_TARGET;
  // No tabs: Node's parser takes them for spaces in some places and not in others.
  add(/[ -~\x80-\xff]/, IN_VALUE);
  add(/[ \d]/, IN_LENGTH);
  add(/[ a-z-]/i, IN_CONNECTION);
  add(/[\da-f]/i, IS_HEX);
  return table;
}

type KnownName = { readonly lowerCase: Buffer; readonly name: number };

function namesByLength(names: readonly (readonly [string, number])[]): KnownName[][] {
  const byLength: KnownName[][] = [];
  for (const [text, name] of names) {
    // Every length has its list, so that the table has no holes.
    while (byLength.length <= text.length) byLength.push([]);
    byLength[text.length]?.push({ lowerCase: Buffer.from(text), name });
  }
  return byLength;
}
