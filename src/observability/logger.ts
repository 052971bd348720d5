/**
 * Structured logs: one JSON object a line on stderr, written synchronously so that the last line
 * before a crash is there. Every thread makes its own; nothing on a record's path logs.
 */
import { type DestinationStream, pino } from 'pino';

/** What rooms may use of a logger; small on purpose so that tests can pass a plain object. */
export type Logger = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
};

/** Lines that wait for a full disk; more than this are lost. */
const WAITING_BYTES_MAX = 256 * 1024;

/** A full disk or a closed pipe must not end the node. */
function openStderr(): DestinationStream {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: WAITING_BYTES_MAX });
  destination.on('error', () => {});
  return destination;
}

/** A logger whose lines all carry `fields`; `level` is the setting log.level. */
export function createLogger(fields: Record<string, unknown>, level: string): Logger {
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
