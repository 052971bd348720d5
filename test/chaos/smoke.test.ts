/**
 * A small chaos run in every test run: a kill, a pause and a kill of everybody, under load. The
 * seed was chosen for that plan. time limit: 240 s
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { CHAOS_SETTINGS, runChaos } from './harness.js';

test('nothing acknowledged is lost over a kill, a pause and a kill of everybody', async () => {
  const lines: string[] = [];
  const cluster = await TestCluster.start({ settings: CHAOS_SETTINGS });
  const run = runChaos(cluster, {
    seed: 25,
    rounds: 3,
    faults: ['kill', 'pause', 'kill-all'],
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
