/**
 * W10: lograft's HTTP door under autocannon, beside a bare node:http server and nginx, in one run
 * on one machine. Its promises are those of the bench: sides take turns, each run is checked, and
 * everything that was started is gone at the end.
 */
import { spawnSync } from 'node:child_process';
import { describeMachine, settingsOf, touchMemory } from '../machine.js';
import { lograftPeer } from '../peer-lograft.js';
import { idleShare } from '../proc.js';
import { formatNumber } from '../table.js';
import { HTTP_FAILOVER } from './http-failover.js';
import {
  type HttpReport,
  type HttpRun,
  type ScenarioReport,
  judgeHttp,
  reportScenario,
} from './http-report.js';
import type { RunOutcome } from '../workload.js';
import { type HttpScenario, type Side, scenariosOf } from './http-scenarios.js';
import { HTTP_FULL, HTTP_SMOKE, type HttpSetup, openSetup } from './http-setup.js';

export type HttpBenchOptions = {
  readonly isSmoke: boolean;
  /** Null: as many as the size says. */
  readonly rounds: number | null;
  readonly directory: string | undefined;
};

export async function runHttpBench(options: HttpBenchOptions): Promise<HttpReport> {
  const { isSmoke, rounds, directory } = options;
  const base = isSmoke ? HTTP_SMOKE : HTTP_FULL;
  const size = { ...base, rounds: rounds ?? base.rounds };
  const startedAt = new Date().toISOString();
  touchMemory(size.touchBytes);
  const setup = await openSetup(size, directory);
  const scenarios = [...scenariosOf(size), HTTP_FAILOVER];
  const runs = scenarios.map((): HttpRun[] => []);
  if (size.settleMs > 0) await settle(setup, scenariosOf(size), runs);
  for (let round = 1; round <= size.rounds; round++) {
    for (const [i, scenario] of scenarios.entries()) {
      for (const side of sidesOf(scenario, setup, round)) {
        runs[i]?.push(await runOnce(setup, scenario, side, round));
      }
    }
  }
  const reports = scenarios.map((scenario, i) => reportOf(scenario, setup, runs[i] ?? []));
  await setup.close();
  const { bare, nginx } = setup;
  return {
    id: 'W10',
    size: isSmoke ? 'smoke' : 'full',
    startedAt,
    machine: describeMachine(),
    settings: settingsOf(size),
    systems: {
      lograft: lograftPeer.label,
      'node:http': bare.label,
      ...(nginx === null ? {} : { nginx: nginx.label }),
    },
    scenarios: reports,
    goals: isSmoke ? [] : judgeHttp(reports),
    isValid: reports.every(({ isValid }) => isValid),
  };
}

/** Round 0: as the others, and only what went wrong is kept. */
async function settle(
  setup: HttpSetup,
  scenarios: readonly HttpScenario[],
  runs: readonly HttpRun[][],
): Promise<void> {
  const size = { ...setup.size, warmupMs: 0, measureMs: setup.size.settleMs };
  for (const [i, scenario] of scenarios.entries()) {
    for (const side of sidesOf(scenario, setup, 1)) {
      const run = await runOnce({ ...setup, size }, scenario, side, 0);
      if (run.faults.length > 0) runs[i]?.push(run);
    }
  }
}

/** Who begins changes from round to round. */
function sidesOf({ peer }: HttpScenario, { nginx }: HttpSetup, round: number): readonly Side[] {
  if (peer === null || (peer === 'nginx' && nginx === null)) return ['lograft'];
  return round % 2 === 1 ? ['lograft', 'peer'] : ['peer', 'lograft'];
}

async function runOnce(
  setup: HttpSetup,
  scenario: HttpScenario,
  side: Side,
  round: number,
): Promise<HttpRun> {
  const { watchMs, isDiskSettled } = setup.size;
  if (isDiskSettled) spawnSync('sync');
  const idleBefore = await idleShare(watchMs);
  const failed = (error: unknown): RunOutcome => ({ values: {}, faults: [String(error)] });
  const { values, faults } = await scenario.run(setup, side).catch(failed);
  const name = side === 'peer' ? scenario.peer : side;
  const said = scenario.metrics
    .filter((metric) => values[metric.name] !== undefined)
    .map(
      (metric) => `${metric.name} ${formatNumber(values[metric.name] as number)} ${metric.unit}`,
    );
  const text = [said.join(', '), ...faults].join('; INVALID: ');
  process.stderr.write(`W10 round ${round}, ${scenario.id}, ${name}: ${text}\n`);
  return { side, round, idleBefore, values, faults };
}

function reportOf(
  scenario: HttpScenario,
  { bare, nginx, nginxMissing }: HttpSetup,
  runs: readonly HttpRun[],
): ScenarioReport {
  if (scenario.peer === null) return reportScenario(scenario, null, null, runs);
  if (scenario.peer === 'node:http') return reportScenario(scenario, bare.label, null, runs);
  const skipped = nginx === null ? nginxMissing : null;
  return reportScenario(scenario, nginx?.label ?? 'nginx', skipped, runs);
}
