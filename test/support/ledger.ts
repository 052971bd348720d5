/**
 * The ledger of long runs, docs/ledger.jsonl: one JSON line a run, added with `--ledger` and never
 * changed, so that hours and rounds of many days can be summed. A line holds what is needed to
 * repeat the run: the commit, the command, and what came out, good or bad.
 */
import { appendFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LEDGER = join(ROOT, 'docs/ledger.jsonl');

export type LedgerKind = 'sim' | 'mutants' | 'chaos' | 'fuzz';

export type LedgerLine = {
  readonly at: string;
  /** Short id; `+` behind it says that files were changed. */
  readonly commit: string;
  readonly kind: LedgerKind;
  readonly command: string;
  readonly ok: boolean;
  readonly result: Readonly<Record<string, unknown>>;
};

export function addToLedger(
  kind: LedgerKind,
  ok: boolean,
  result: Readonly<Record<string, unknown>>,
): void {
  const args = process.argv.slice(2).filter((arg) => arg !== '--ledger');
  const command = [`npm run ${kind} --`, ...args].join(' ');
  const at = new Date().toISOString();
  const line: LedgerLine = { at, commit: commitId(), kind, command, ok, result };
  appendFileSync(LEDGER, `${JSON.stringify(line)}\n`);
}

function commitId(): string {
  const git = (...args: string[]): string =>
    spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout?.trim() ?? '';
  const isChanged = git('status', '--porcelain', '--', 'src', 'native', 'test') !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? '+' : ''}`;
}
