/** Option texts as values; a text that cannot be one is a usage error that names it. Pure. */
import { LograftError } from '../base/errors.js';
import type { Acks } from './kafka/producer.js';

export type Address = { readonly host: string; readonly port: number };

export function wholeNumber(name: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    const range =
      maximum === Number.MAX_SAFE_INTEGER ? `at least ${minimum}` : `${minimum} to ${maximum}`;
    throw usage(`${name} ${text}: expected a whole number, ${range}`);
  };
}

/** commander calls this once for each time the option is given. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `k=v` pairs as an object; the value may hold `=` and may be empty. */
export function keyValues(option: string, texts: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals < 1)
      throw usage(`${option} ${text}: expected KEY=VALUE, such as retention.ms=60000`);
    pairs[text.slice(0, equals)] = text.slice(equals + 1);
  }
  return pairs;
}

/** `host:port,host:port`; the port may be left out. IPv6 addresses stand in brackets. */
export function addresses(text: string, defaultPort: number): Address[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw usage('--bootstrap: expected HOST:PORT,…');
  return parts.map((part) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(part);
    const port = Number(match?.[3] ?? defaultPort);
    if (match === null || port < 1 || port > 65_535) {
      throw usage(`--bootstrap ${part}: expected HOST:PORT`);
    }
    return { host: (match[1] ?? match[2]) as string, port };
  });
}

export function parseAcks(text: string): Acks {
  if (text === 'all' || text === '-1') return -1;
  if (text === '1') return 1;
  if (text === '0') return 0;
  throw usage(`--acks ${text}: expected all, 1 or 0`);
}

export type StartOffset =
  | { readonly kind: 'earliest' | 'latest' }
  /** Negative: that many before the end. */
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly timestamp: number };

export function parseStartOffset(text: string): StartOffset {
  if (text === 'beginning' || text === 'earliest') return { kind: 'earliest' };
  if (text === 'end' || text === 'latest') return { kind: 'latest' };
  const value = Number(/^@?-?\d+$/.test(text) ? text.replace('@', '') : Number.NaN);
  if (!Number.isSafeInteger(value) || (text.startsWith('@') && value < 0)) {
    throw usage(`-o ${text}: expected beginning, end, an offset, -N (before the end) or @ms`);
  }
  return text.startsWith('@')
    ? { kind: 'time', timestamp: value }
    : { kind: 'offset', offset: value };
}

/**
 * The escapes that shells do not turn into characters: `\t`, `\n`, `\r`, `\\` and `\xHH`. Anything
 * else behind a backslash stays as it is.
 */
export function unescape(text: string): string {
  return text.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|(.))/g,
    (whole, hex: string | undefined, letter) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return ESCAPES[letter as string] ?? whole;
    },
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  '0': '\0',
};

export function usage(message: string, hint?: string): LograftError {
  return new LograftError('USAGE', message, hint);
}
