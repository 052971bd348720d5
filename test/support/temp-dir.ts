/** Scratch folders that are gone when the process is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

/** A new empty folder, removed with everything in it when this process exits. */
export function tempDir(name = 'scratch'): string {
  if (made.length === 0) process.once('exit', removeAll);
  const directory = mkdtempSync(join(tmpdir(), `lograft-${name}-`));
  made.push(directory);
  return directory;
}

function removeAll(): void {
  for (const directory of made) {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
