/** Scratch folders that are gone when the process is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new empty folder, removed with everything in it when this process exits. */
export function tempDir(name = 'scratch'): string {
  const directory = mkdtempSync(join(tmpdir(), `lograft-${name}-`));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}
