/**
 * The whole bench at its smoke size: every workload runs against three real nodes, every run is
 * valid, every number is there. What the numbers are is not judged here.
 *
 * time limit: 180 s
 */
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lograft } from '../support/cluster.js';
import { runCommand } from '../support/command.js';

const BENCH = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
// The bench is a TypeScript project of its own, which the tests do not compile against.
const { deviceBytesWritten } = (await import(
  new URL('../../bench/block-device.js', import.meta.url).href
)) as { deviceBytesWritten(directory: string): number | null };
const WORKLOADS = [
  ...['W9', 'W1-64k', 'W1-1m', 'W2-64k', 'W2-1m', 'W2-60s', 'W3-16x1', 'W3-100x5'],
  ...['W4-1', 'W4-64', 'W4-256', 'W4-1000', 'W4-100x5', 'W4-1x1', 'W5', 'W6', 'W7', 'W8'],
];

type Report = {
  readonly size: string;
  readonly systems: Readonly<Record<string, string>>;
  readonly isValid: boolean;
  readonly workloads: readonly {
    readonly key: string;
    readonly isValid: boolean;
    readonly rows: readonly {
      readonly name: string;
      readonly lograft: { readonly median: number } | null;
      readonly kafka: null;
      readonly ratio: null;
    }[];
    readonly runs: readonly { readonly faults: readonly string[] }[];
  }[];
};

function bench(...args: readonly string[]) {
  return runCommand(process.execPath, [BENCH, ...args], { timeoutMs: 170_000 });
}

test('every workload on three nodes', async () => {
  if (process.platform !== 'linux') return;
  const hasDevice = deviceBytesWritten(tmpdir()) !== null;
  if (!hasDevice) console.log('# skip: no single block device to count the writes of');
  const directory = mkdtempSync(join(tmpdir(), 'lograft-smoke-'));
  const { status, stdout, stderr } = await bench(
    ...['--smoke', '--format', 'json', '--dir', directory],
  );
  assert.equal(readdirSync(directory), []);
  rmdirSync(directory);
  assert.is(status, 0, stderr + stdout);
  const report = JSON.parse(stdout) as Report;
  assert.is(report.size, 'smoke');
  assert.ok(report.isValid);
  const { version } = JSON.parse((await lograft(['version', '--format', 'json'])).stdout);
  assert.equal(report.systems, { lograft: `lograft ${version}` });
  assert.equal(
    report.workloads.map(({ key }) => key),
    WORKLOADS,
  );
  for (const { key, rows, runs } of report.workloads) {
    assert.equal(
      runs.map(({ faults }) => faults),
      [[]],
      key,
    );
    for (const row of rows) {
      const isThere = hasDevice || !row.name.startsWith('block device');
      assert.is(Number.isFinite(row.lograft?.median), isThere, `${key} ${row.name}`);
      assert.is(row.kafka, null);
    }
  }
});

test('an option that does not exist is a usage error', async () => {
  const { status, stdout, stderr } = await bench('--workload', 'W77');
  assert.is(status, 2);
  assert.is(stdout, '');
  assert.match(stderr, /no workload W77/);
});

test.run();
