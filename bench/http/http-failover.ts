/**
 * kill -9 of a partition's leader while the two other nodes take requests for it: every request is
 * answered, by 200 or by 503 with Retry-After, and what was acknowledged is in the log.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitSettled, describeTopic, endOffsets } from '../kafka-calls.js';
import type { RunOutcome } from '../workload.js';
import type { LoadJob } from './http-jobs.js';
import { HttpProcess } from './http-process.js';
import { type HttpScenario, leaderOf, sentences, windowOf } from './http-scenarios.js';
import { type HttpSetup, TEXT, doorOf } from './http-setup.js';

const PARTITION = 0;
const CONNECTIONS = 20;
const NODE_IDS = [1, 2, 3];
/** Load before the kill, and at least after it. */
const BEFORE_KILL_MS = 300;
const AFTER_KILL_MS = 4_000;

export const HTTP_FAILOVER: HttpScenario = {
  id: 'failover',
  title: 'kill -9 of the leader, produce 200 B through the two others',
  peer: null,
  metrics: [
    { name: 'time with 503', unit: 'ms', better: 'lower' },
    { name: 'longest time without 200', unit: 'ms', better: 'lower' },
    { name: 'answers with 503', unit: '', better: 'lower' },
  ],
  run: killOnce,
};

async function killOnce(setup: HttpSetup): Promise<RunOutcome> {
  const { cluster, topics } = setup;
  const { bootstrap } = cluster;
  const topic = topics.cached;
  const victim = await leaderOf(setup, topic, PARTITION);
  const others = NODE_IDS.filter((id) => id !== victim);
  const path = `/topics/${topic}/records?partition=${PARTITION}`;
  const { measureMs } = windowOf(setup);
  const job: LoadJob = {
    kind: 'load',
    urls: others.map((id) => `${doorOf(cluster, id)}${path}`),
    method: 'POST',
    ...{ contentType: null, body: TEXT, connections: CONNECTIONS, pipelining: 1, rate: null },
    window: { warmupMs: 0, measureMs: BEFORE_KILL_MS + AFTER_KILL_MS + measureMs },
  };
  const endOf = async () => (await endOffsets(bootstrap, topic))[PARTITION] as number;
  const before = await endOf();
  let killing: Promise<void> | null = null;
  const result = await new HttpProcess(job, () => {
    killing ??= sleep(BEFORE_KILL_MS).then(() => cluster.kill(victim));
  }).result;
  const grown = (await endOf()) - before;
  const { leaderId } = (await describeTopic(bootstrap, topic))[PARTITION] ?? {};
  await cluster.restart(victim);
  for (const each of Object.values(topics)) await awaitSettled(bootstrap, each);
  const { '200': ok = 0, '503': refused = 0, ...strange } = result.statuses;
  const faults = sentences(result.faults);
  for (const [status, count] of Object.entries(strange)) faults.push(`${count} x ${status}`);
  if (killing === null || leaderId === victim) faults.push('the leader was not killed');
  if (result.withoutRetryAfter > 0) {
    faults.push(`${result.withoutRetryAfter} answers do not say when to come again`);
  }
  // A record that was answered with 503 may be there.
  if (grown < ok) faults.push(`${ok} acknowledged, only ${grown} kept`);
  if (grown > result.sent) faults.push(`${result.sent} sent, ${grown} kept`);
  const values = {
    'time with 503': result.refusedMs,
    'longest time without 200': result.gapMs,
    'answers with 503': refused,
  };
  return { values, faults };
}
