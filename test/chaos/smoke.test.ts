/**
 * A small chaos run in every test run: a kill, a pause and a kill of everybody, under load.
 * time limit: 240 s
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { kill, killAll } from './faults/crash.js';
import { pause } from './faults/pause.js';
import { runChaos, startChaosCluster } from './harness.js';

test('nothing acknowledged is lost over a kill, a pause and a kill of everybody', async () => {
  const lines: string[] = [];
  const faults = [kill, pause, killAll];
  const cluster = await startChaosCluster(faults);
  const run = runChaos(cluster, {
    seed: 25,
    rounds: 3,
    faults,
    topics: 3,
    partitions: 2,
    writers: 8,
    everyMs: 8,
    recordsPerBatch: 3,
    settleMs: 5_000,
    // Small segments, so that rolling happens under fire.
    topicConfigs: ['retention.ms=-1', 'retention.bytes=-1', 'segment.bytes=65536'],
    log: (line) => lines.push(line),
  });
  const result = await run.catch((cause: unknown) => {
    throw new Error(`the run broke off: ${String(cause)}\n${lines.join('\n')}`, { cause });
  });
  assert.ok(result.ok, `${JSON.stringify(result)}\n${lines.join('\n')}`);
  assert.equal(result.faults, { kill: 1, pause: 1, 'kill-all': 1 });
  assert.ok(result.acked > 1_000, `only ${result.acked} records were acknowledged`);
});

test.run();
