/**
 * A small chaos run in every test run: two kills of a node under load. time limit: 240 s
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { CHAOS_SETTINGS, runChaos } from './harness.js';

test('nothing acknowledged is lost over two kills', async () => {
  const lines: string[] = [];
  const cluster = await TestCluster.start({ settings: CHAOS_SETTINGS });
  const result = await runChaos(cluster, {
    seed: 7,
    rounds: 2,
    faults: ['kill'],
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
  assert.ok(result.ok, `${JSON.stringify(result)}\n${lines.join('\n')}`);
  assert.equal(result.faults, { kill: 2 });
  assert.ok(result.acked > 1_000, `only ${result.acked} records were acknowledged`);
});

test.run();
