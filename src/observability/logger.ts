/**
 * Structured logs: one JSON object a line on stderr (words, where that is a terminal), written
 * synchronously so that the last line before a crash is there. Every thread makes its own; nothing
 * on a record's path logs.
 */
import { fstatSync } from 'node:fs';
import { type DestinationStream, pino } from 'pino';
import type { LogLevel } from '../base/log-levels.js';

/** What rooms may use of a logger; small on purpose so that tests can pass a plain object. */
export type Logger = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
};

/** The logger of a thread: its level may change while it runs. */
export type ThreadLogger = Logger & { level: string };

/** Lines that wait for a full disk; more than this are lost. */
const WAITING_BYTES_MAX = 256 * 1024;
const STDERR = 2;

/** A full disk or a closed pipe must not end the node. */
function openStderr(): DestinationStream {
  const destination = pino.destination({ dest: STDERR, sync: true, maxLength: WAITING_BYTES_MAX });
  destination.on('error', () => {});
  if (!isTerminal()) return destination;
  return { write: (line) => destination.write(`${lineInWords(line)}\n`) };
}

/** The module that knows terminals brings sockets along: only asked where there may be one. */
function isTerminal(): boolean {
  try {
    if (!fstatSync(STDERR).isCharacterDevice()) return false;
  } catch {
    // Closed: whatever is written goes nowhere.
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(STDERR);
}

/** `12:34:56.789 WARN  slow sync node=1 shard=0 ms=1200` */
export function lineInWords(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice('2000-01-01T'.length, -1);
  const words = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  return [clock, String(level).toUpperCase().padEnd(5), msg, ...words].join(' ');
}

/** A logger whose lines all carry `fields`; `level` is the setting log.level. */
export function createLogger(fields: Record<string, unknown>, level: LogLevel): ThreadLogger {
  return pino(
    {
      base: fields,
      level,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    openStderr(),
  );
}

/** Swallows everything; for tests and tools. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
