/** From results to docs/benchmarks.md. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const DOCUMENT = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));

// The bench is a TypeScript project of its own, which the tests do not compile against.
const load = (file: string): Promise<unknown> =>
  import(new URL(`../../bench/${file}`, import.meta.url).href);
const { formatDocument, resultsOf } = (await load('document.js')) as {
  formatDocument(results: readonly object[], notes: ReadonlyMap<string, string>): string;
  resultsOf(report: object): { id: string; workloads: object[]; goals: object[] }[];
};
const { makeDocument } = (await load('results.js')) as { makeDocument(): string };

const spread = (median: number) => ({ median, min: median - 1, max: median + 1 });
const throughput = { name: 'throughput', unit: 'MB/s', better: 'higher' };
const elections = { name: 'elections', unit: '', better: 'lower' };
const run = { system: 'lograft', round: 1, idleBefore: 0.978, values: {}, faults: [] };
const workload = {
  id: 'W2',
  key: 'W2-64k',
  title: 'batches',
  durability: 'cached',
  acknowledged: { lograft: 'a majority', kafka: 'everywhere' },
  isValid: false,
  rows: [
    { ...throughput, lograft: spread(600), kafka: spread(100), ratio: 6 },
    { ...elections, lograft: spread(0), kafka: null, ratio: null },
  ],
  runs: [run, { ...run, system: 'kafka', round: 2, idleBefore: 0.91, faults: ['lost 3 records'] }],
};
const report = {
  size: 'full',
  startedAt: '2026-01-02T03:04:05.000Z',
  machine: { CPU: 'one | two', cores: 2 },
  settings: { rounds: 3 },
  systems: { lograft: 'lograft 1', kafka: 'Kafka 2' },
  workloads: [workload, { ...workload, id: 'W9', key: 'W9' }],
  goals: [
    { id: 'W2', workload: 'W2', text: 'at least 750 MB/s', measured: 600, isMet: false },
    { id: 'W12', workload: 'W2', text: 'at most 2.5 s', measured: 2.1, isMet: true },
    { id: 'W9', workload: 'W9', text: 'at most 1 s', measured: null, isMet: null },
  ],
  isValid: false,
};

test('a report falls into one result per workload, each with its goals', () => {
  const results = resultsOf(report);
  assert.equal(
    results.map(({ id, workloads, goals }) => [id, workloads.length, goals.length]),
    [
      ['W2', 1, 2],
      ['W9', 1, 1],
    ],
  );
});

test('a section says how it was measured, every row, what does not count and the goals', () => {
  const [result] = resultsOf(report);
  const lines = formatDocument([result as object], new Map()).split('\n');
  const text = lines.join(' ');
  assert.ok(lines.includes('## W2: throughput, 1 KiB records'), text);
  assert.match(text, /lograft 1, Kafka 2; 2026-01-02\. CPU one \| two, cores 2\. rounds 3\./);
  assert.match(text, /Processors at least 91 % idle before/);
  assert.match(text, /means: lograft 1: a majority\. Kafka 2: everywhere\./);
  for (const line of [
    '| workload | figure | lograft | Kafka 2 | ratio |',
    '| batches (cached) | throughput, MB/s | 600 (599–601) | 100 (99–101) | 6 × |',
    '| batches (cached) | elections | 0 (-1–1) |  |  |',
    '- INVALID and not counted: batches (cached), round 2, Kafka 2: lost 3 records',
    '| W2 | at least 750 MB/s | 600 | **MISSED** |',
    '| W12 | at most 2.5 s | 2.10 | met |',
  ]) {
    assert.ok(lines.includes(line), `${line} is not in ${text}`);
  }
});

test('sections are in the order of their numbers, and notes end them', () => {
  const results = [...resultsOf(report)].reverse();
  const text = formatDocument(results, new Map([['W2', 'First, larger buffers.\n']]));
  assert.ok(text.indexOf('## W2') < text.indexOf('First, larger buffers.'));
  assert.ok(text.indexOf('First, larger buffers.') < text.indexOf('## W9'));
  assert.match(text, /\| at most 1 s \|  \| not judged \|/);
});

test('without Kafka the page says so', () => {
  const alone = { ...report, systems: { lograft: 'lograft 1' } };
  const [result] = resultsOf(alone);
  assert.match(formatDocument([result as object], new Map()), /Apache Kafka could not be had/);
});

test('the page in the repository is made of the results in the repository', () => {
  assert.is(readFileSync(DOCUMENT, 'utf8'), makeDocument());
});

test.run();
