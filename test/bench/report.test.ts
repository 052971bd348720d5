/** From runs to medians, ratios and verdicts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type Run = {
  readonly system: 'lograft' | 'kafka';
  readonly round: number;
  readonly idleBefore: number;
  readonly values: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
};
type Spread = { readonly median: number; readonly min: number; readonly max: number };
type WorkloadReport = {
  readonly isValid: boolean;
  readonly rows: readonly {
    readonly lograft: Spread | null;
    readonly kafka: Spread | null;
    readonly ratio: number | null;
  }[];
};
type Verdict = {
  readonly id: string;
  readonly workload: string;
  readonly text: string;
  readonly measured: number | null;
  readonly isMet: boolean | null;
};
type Goal = {
  readonly keys: readonly string[];
  readonly against?: readonly string[];
  readonly metric: string;
};

// The bench is a TypeScript project of its own, which the tests do not compile against.
const load = (file: string): Promise<unknown> =>
  import(new URL(`../../bench/${file}`, import.meta.url).href);
const { GOALS } = (await load('goals.js')) as { GOALS: readonly Goal[] };
const { WORKLOADS } = (await load('workloads.js')) as {
  WORKLOADS: readonly { key: string; metrics: readonly { name: string }[] }[];
};
const { judge, median, reportWorkload } = (await load('report.js')) as {
  judge(goals: readonly object[], reports: readonly WorkloadReport[]): Verdict[];
  median(values: readonly number[]): number;
  reportWorkload(workload: object, acknowledged: object, runs: readonly Run[]): WorkloadReport;
};
const { formatNumber, formatReport } = (await load('table.js')) as {
  formatNumber(value: number): string;
  formatReport(report: object): string;
};
const { syncFaults } = (await load('produce-workloads.js')) as {
  syncFaults(values: Readonly<Record<string, number>>, acknowledgedBytes: number): string[];
};
const { countFaults } = (await load('workload.js')) as {
  countFaults(before: number[], after: number[], acknowledged: number[]): string[];
};

const workload = {
  id: 'W2',
  key: 'W2-64k',
  title: 'batches',
  durability: 'cached',
  metrics: [{ name: 'throughput', unit: 'MB/s', better: 'higher' }],
} as const;

function run(system: 'lograft' | 'kafka', throughput: number, ...faults: string[]): Run {
  return { system, round: 1, idleBefore: 0.97, values: { throughput }, faults };
}

const good = [run('lograft', 300), run('kafka', 90), run('lograft', 500), run('kafka', 100)];

test('median of odd, even and single', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(median([7]), 7);
});

test('a row holds both spreads and the ratio of the medians', () => {
  const report = reportWorkload(workload, {}, good);
  assert.ok(report.isValid);
  const [row] = report.rows;
  assert.equal(row?.lograft, { median: 400, min: 300, max: 500 });
  assert.equal(row?.kafka, { median: 95, min: 90, max: 100 });
  assert.is(row?.ratio, 400 / 95);
});

test('a run with a fault gives no number and makes the workload invalid', () => {
  const report = reportWorkload(workload, {}, [...good, run('lograft', 9_000, 'lost')]);
  assert.not.ok(report.isValid);
  assert.is(report.rows[0]?.lograft?.max, 500);
  assert.not.ok(reportWorkload(workload, {}, []).isValid);
});

test('goals are met, missed or not judged', () => {
  const verdicts = (runs: readonly Run[]) =>
    judge(GOALS, [reportWorkload(workload, {}, runs)]).map(({ isMet }) => isMet);
  // At least 750 MB/s, seven times Kafka's, three times at each system's best.
  assert.equal(verdicts([run('lograft', 800), run('kafka', 100)]), [true, true, true]);
  assert.equal(verdicts([run('lograft', 600), run('kafka', 100)]), [false, false, true]);
  assert.equal(verdicts([run('lograft', 800)]), [true, null, null]);
  assert.is(judge(GOALS, []).length, 0);
});

test('the best of each system is judged, whichever workload has it', () => {
  const reports = [
    reportWorkload(workload, {}, [run('lograft', 800), run('kafka', 100)]),
    reportWorkload({ ...workload, key: 'W2-1m' }, {}, [run('lograft', 700), run('kafka', 250)]),
  ];
  const best = judge(GOALS, reports).find(({ text }) => text.includes(' or '));
  assert.is(best?.measured, 800 / 250);
});

test('a synced goal is judged beside what Kafka does without syncs, in the same run', () => {
  const synced = { ...workload, id: 'W4', key: 'W4-64', durability: 'synced' };
  const reports = [
    reportWorkload(workload, {}, [run('kafka', 100)]),
    reportWorkload(synced, {}, [run('lograft', 500), run('kafka', 40)]),
  ];
  const verdict = judge(GOALS, reports).find(({ text }) => text.includes('with batches (cached)'));
  assert.equal([verdict?.id, verdict?.workload, verdict?.measured], ['W4', 'W4', 5]);
  const alone = judge(GOALS, reports.slice(1)).find(({ text }) => text.includes('not measured'));
  assert.is(alone?.isMet, null);
});

test('every goal is about a metric that its workload has', () => {
  for (const { keys, against = [], metric } of GOALS) {
    for (const key of [...keys, ...against]) {
      const found = WORKLOADS.find((one) => one.key === key);
      assert.ok(
        found?.metrics.some(({ name }) => name === metric),
        `${key} ${metric}`,
      );
    }
  }
  assert.is(new Set(WORKLOADS.map(({ key }) => key)).size, WORKLOADS.length);
});

test('the table says it all', () => {
  const missed = [run('lograft', 150), run('kafka', 100), run('kafka', 1, 'lost 3 records')];
  const workloads = [
    reportWorkload(workload, { lograft: 'a majority', kafka: 'everywhere' }, missed),
  ];
  const report = {
    size: 'full',
    startedAt: 'today',
    machine: { cores: 2 },
    systems: { lograft: 'lograft 1', kafka: 'Kafka 2' },
    workloads,
    goals: judge(GOALS, workloads),
    isValid: false,
  };
  const text = formatReport(report);
  assert.match(text, /lograft 1 beside Kafka 2/);
  assert.match(text, /kafka acks: everywhere/);
  assert.match(text, /throughput, MB\/s +150 \(150 to 150\) +100 \(100 to 100\) +1\.50 ×/);
  assert.match(text, /INVALID: kafka, round 1: lost 3 records/);
  assert.match(text, /goal W2 MISSED: .* at least 7 × Kafka's, measured 1\.50/);
});

test('numbers have three digits', () => {
  assert.equal([1234.5, 12.34, 1.234].map(formatNumber), ['1235', '12.3', '1.23']);
});

test('a log that grew by another count is a fault', () => {
  assert.equal(countFaults([5, 5], [10, 7], [5, 2]), []);
  assert.equal(countFaults([0], [4], [5]), ['partition 0: 5 acknowledged, the log grew by 4']);
});

test('what is acknowledged as synced must have reached the block device', () => {
  const name = 'block device writes, whole machine';
  assert.equal(syncFaults({ [name]: 3 }, 1e6), []);
  assert.equal(syncFaults({}, 1e6), []);
  assert.match(syncFaults({ [name]: 0.5 }, 1e6).join(), /1\.000 MB .* synced, .* given 0\.500 MB/);
});

test.run();
