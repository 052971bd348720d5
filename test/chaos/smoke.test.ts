/**
 * A small chaos run in every test run: a kill, a pause and a kill of everybody, under load.
 * time limit: 240 s
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sleep } from '../support/wait-for.js';
import { kill, killAll } from './faults/crash.js';
import type { FaultKind } from './faults/fault.js';
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

test('a fault that nobody counted, and a partition without acks, fail the run', async () => {
  const idle: FaultKind = {
    ...kill,
    kind: 'idle',
    plan: (random, nodeIds) => ({ ...kill.plan(random, nodeIds), kind: 'idle' }),
    apply: async (cluster, _fault, onHit) => {
      onHit();
      // For longer than a round may be silent.
      for (const node of cluster.nodeIds) cluster.signal(node, 'SIGSTOP');
      await sleep(5_500);
      for (const node of cluster.nodeIds) cluster.signal(node, 'SIGCONT');
    },
    proofs: () => 0,
  };
  const lines: string[] = [];
  const result = await runChaos(await startChaosCluster([idle]), {
    seed: 1,
    rounds: 1,
    faults: [idle],
    topics: 1,
    partitions: 1,
    writers: 2,
    everyMs: 20,
    recordsPerBatch: 3,
    settleMs: 5_000,
    topicConfigs: [],
    log: (line) => lines.push(line),
  });
  const said = lines.join('\n');
  assert.is(result.ok, false, said);
  assert.match(said, /idle is not proven/);
  assert.match(said, /no ack for \d+ ms in chaos-1:0, a majority is connected/);
  assert.equal([result.lost, result.changed, result.duplicated], [0, 0, 0]);
});

test.run();
