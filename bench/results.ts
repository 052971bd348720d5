/**
 * The folder with what full runs measured, one document per workload id, and the page that is made
 * of them. A later run of a workload replaces its document; the page is always written as a whole.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Result, formatDocument } from './document.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RESULTS = `${ROOT}bench/results/`;
const NOTES = `${ROOT}bench/notes/`;
const DOCUMENT = `${ROOT}docs/benchmarks.md`;

/** Keeps the results, then writes the page anew from all that are kept. */
export function keepResults(results: readonly Result[]): void {
  mkdirSync(RESULTS, { recursive: true });
  for (const result of results) {
    writeFileSync(`${RESULTS}${result.id}.json`, `${JSON.stringify(result, null, 2)}\n`);
  }
  writeDocument();
}

export function writeDocument(): void {
  writeFileSync(DOCUMENT, makeDocument());
}

/** The page as it should be now. */
export function makeDocument(): string {
  const results = readdirSync(RESULTS)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(RESULTS + name, 'utf8')) as Result);
  const notes = results.flatMap(({ id }) => {
    const path = `${NOTES}${id}.md`;
    return existsSync(path) ? [[id, readFileSync(path, 'utf8')] as const] : [];
  });
  return formatDocument(results, new Map(notes));
}
