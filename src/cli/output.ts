/**
 * What a command says and where: the result on stdout, everything else on stderr. Its one promise:
 * with `--format json` stdout holds exactly one document (or one a line, for streams) and an error
 * on stderr is one JSON object, so that scripts never parse prose.
 */
import { LograftError } from '../base/errors.js';

export type Format = 'text' | 'json';

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, notRunning: 3, timedOut: 4 } as const;

const PROGRESS_AFTER_MS = 1000;
const PROGRESS_EVERY_MS = 200;

export class Output {
  readonly format: Format;

  constructor(format: Format) {
    this.format = format;
  }

  get isJson(): boolean {
    return this.format === 'json';
  }

  /** The result: `document` in JSON mode, else `text` (a trailing newline is added). */
  result(document: unknown, text: string): void {
    if (this.isJson) process.stdout.write(`${JSON.stringify(document)}\n`);
    else if (text !== '') process.stdout.write(`${text}\n`);
  }

  /** A remark for people; scripts that asked for JSON are spared. */
  note(text: string): void {
    if (!this.isJson) process.stderr.write(`${text}\n`);
  }

  /** Shows `text()` on one line of a terminal once the work has taken over a second. */
  async progress<T>(text: () => string, work: Promise<T>): Promise<T> {
    if (this.isJson || !process.stderr.isTTY) return work;
    const begin = performance.now();
    let isShown = false;
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - begin;
      if (elapsedMs < PROGRESS_AFTER_MS) return;
      isShown = true;
      process.stderr.write(`\r\x1b[2K${text()} (${Math.round(elapsedMs / 1000)} s)`);
    }, PROGRESS_EVERY_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      if (isShown) process.stderr.write('\r\x1b[2K');
    }
  }

  error(error: unknown): void {
    process.stderr.write(`${errorText(error, this.format)}\n`);
  }
}

export function errorText(error: unknown, format: Format): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const hint = error instanceof LograftError ? error.hint : undefined;
  if (format === 'json') {
    return JSON.stringify({ error: { code: code ?? 'FAILED', message, hint: hint ?? null } });
  }
  // An error without a code was foreseen by nobody: whoever reports it needs the stack.
  const body = code === undefined && error instanceof Error ? (error.stack ?? message) : message;
  return hint === undefined ? `lograft: ${body}` : `lograft: ${body}\n  ${hint}`;
}

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof LograftError)) return EXIT.failed;
  switch (error.code) {
    case 'USAGE':
    case 'CONFIG_INVALID':
    // The ports are part of the configuration, and the remedy is a flag.
    case 'ADDRESS_IN_USE':
      return EXIT.usage;
    case 'NOT_RUNNING':
      return EXIT.notRunning;
    case 'TIMED_OUT':
      return EXIT.timedOut;
    default:
      return EXIT.failed;
  }
}

/** A table of plain text: columns aligned, numbers to the right, two spaces between. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const isNumeric = header.map((_, i) => rows.every((row) => /^-?[\d.]*$/.test(row[i] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const width = widths[i] as number;
        return isNumeric[i] === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}

export function formatBytes(bytes: number): string {
  if (bytes < 0) return '-';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] as string}`;
}

/** Of this program's errors, of Kafka's and of the system's. */
function codeOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
