/** The version of this package, from its package.json. Any thread. */
import { readFileSync } from 'node:fs';

let known: string | null = null;

/** Read once: scrapes ask each time. */
export function packageVersion(): string {
  known ??= read();
  return known;
}

function read(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
