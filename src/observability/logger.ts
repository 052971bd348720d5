/**
 * Structured logs: one JSON object a line on stderr, written synchronously so that the last line
 * before a crash is there. Every thread makes its own; nothing on a record's path logs.
 */
import { pino } from 'pino';

/** What rooms may use of a logger; small on purpose so that tests can pass a plain object. */
export type Logger = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
};

/** A logger whose lines all carry `fields`; level from `LOGRAFT_LOG_LEVEL` (default info). */
export function createLogger(fields: Record<string, unknown>): Logger {
  return pino(
    {
      base: fields,
      level: process.env.LOGRAFT_LOG_LEVEL ?? 'info',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
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
