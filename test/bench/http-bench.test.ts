/**
 * W10 at its smoke size on three real nodes: every row is there, the counts are right and no
 * request was lost. What the numbers are is not judged here.
 *
 * time limit: 240 s
 */
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/command.js';

const BENCH = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const SCENARIOS = [
  ...['produce-10x1', 'produce-10x10', 'synced-10', 'ndjson', 'records', 'stream'],
  ...['alone', 'beside', 'failover'],
];

type Row = {
  readonly name: string;
  readonly lograft: { readonly median: number } | null;
  readonly peer: { readonly median: number } | null;
  readonly ratio: number | null;
};
type Scenario = {
  readonly id: string;
  readonly peer: string | null;
  readonly skipped: string | null;
  readonly rows: readonly Row[];
  readonly runs: readonly { readonly faults: readonly string[] }[];
};
type Report = {
  readonly size: string;
  readonly isValid: boolean;
  readonly scenarios: readonly Scenario[];
  readonly goals: readonly object[];
};

function bench(...args: readonly string[]) {
  return runCommand(process.execPath, [BENCH, ...args], { timeoutMs: 230_000 });
}

test('every scenario on three nodes, beside node:http and nginx', async () => {
  if (process.platform !== 'linux') return;
  const { status, stdout, stderr } = await bench('W10', '--smoke', '--format', 'json');
  assert.is(status, 0, stderr + stdout);
  const report = JSON.parse(stdout) as Report;
  assert.equal([report.size, report.isValid, report.goals], ['smoke', true, []]);
  assert.equal(
    report.scenarios.map(({ id }) => id),
    SCENARIOS,
  );
  for (const { id, peer, skipped, rows, runs } of report.scenarios) {
    if (skipped !== null) console.log(`# skip: what stands beside ${id}: ${skipped}`);
    const hasPeer = peer !== null && skipped === null;
    assert.equal(
      runs.map(({ faults }) => faults),
      hasPeer ? [[], []] : [[]],
      id,
    );
    for (const row of rows) {
      assert.ok(Number.isFinite(row.lograft?.median), `${id} ${row.name}`);
      assert.is(Number.isFinite(row.peer?.median), hasPeer, `${id} ${row.name}`);
    }
  }
});

test('W10 runs by itself', async () => {
  const { status, stderr } = await bench('W10', 'W2');
  assert.is(status, 2);
  assert.match(stderr, /W10 runs by itself/);
});

test.run();
