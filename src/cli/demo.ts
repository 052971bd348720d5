/**
 * `lograft demo`: three nodes, a producer that never stops, leaders killed and paused, and somebody
 * else's consumer that checks every acknowledged record. Its one promise: it succeeds only if every
 * promise held, and leaves nothing behind but, on failure, the data to look at.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LograftError } from '../base/errors.js';
import { Prng } from '../base/prng.js';
import { packagedConfigFile } from '../broker/node-config.js';
import { planLaunch } from './cluster/launch.js';
import { type LocatedCluster, locateCluster } from './cluster/locate.js';
import { Supervisor } from './cluster/supervisor.js';
import { freeBasePort } from './demo/free-ports.js';
import { encodeJournal, type Verdict } from './demo/journal.js';
import { DemoWriter } from './demo/writer.js';
import { createTopic } from './kafka/admin.js';
import { KafkaClient, retrying } from './kafka/client.js';
import { EXIT, type Output } from './output.js';
import { applyFault, type Fault, findTarget } from './signal.js';
import { startNode } from './start.js';

const TOPIC = 'demo';
const PARTITIONS = 6;
const REPLICAS = 3;
const CALM_MS = 1_000;
const RECOVERY_MS_MAX = 20_000;
const PAUSE_MS = 3_000;
const JUDGE_MS_MAX = 60_000;
const JUDGE = fileURLToPath(new URL('./demo-judge/main.js', import.meta.url));

export type DemoOptions = {
  readonly data?: string;
  readonly seed: number;
  readonly rounds: number;
  /** Test hook: the judge overlooks one record. */
  readonly breakPromise?: boolean;
};

export type DemoReport = {
  readonly seed: number;
  readonly rounds: number;
  readonly acked: number;
  readonly lost: number;
  readonly changed: number;
  readonly duplicated: number;
  readonly faults: { readonly kill: number; readonly pause: number };
  readonly gapsMs: { readonly p50: number; readonly p99: number };
  readonly ok: boolean;
};

type Narrate = (text: string) => void;

export async function demo(output: Output, options: DemoOptions): Promise<number> {
  const narrate: Narrate = (text) => {
    output.note(`[${(performance.now() / 1000).toFixed(1).padStart(5)} s] ${text}`);
  };
  mustHaveJudge();
  const random = new Prng(options.seed);
  const dataDir = options.data ?? mkdtempSync(join(tmpdir(), 'lograft-demo-'));
  const supervisor = await prepare(dataDir);
  const interrupted = new Promise<never>((_, reject) => {
    const onSignal = () => reject(new LograftError('CLOSED', 'the demo was interrupted'));
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
  });
  let report: DemoReport | null = null;
  try {
    const telling = tell({ supervisor, dataDir, random, options, narrate });
    report = await Promise.race([telling, interrupted]);
  } finally {
    await supervisor.stop();
    if (report?.ok !== true) narrate(`the data of all nodes is in ${dataDir}`);
    else if (options.data === undefined) rmSync(dataDir, { recursive: true, force: true });
  }
  output.result(report, reportText(report));
  return report.ok ? EXIT.done : EXIT.failed;
}

/** kafkajs is a development dependency: an installed package does not bring it. */
function mustHaveJudge(): void {
  try {
    import.meta.resolve('kafkajs');
  } catch (cause) {
    throw new LograftError(
      'NOT_FOUND',
      'the demo lets kafkajs judge, which is not installed',
      'run it in a checkout of lograft, or `npm install kafkajs` beside it',
      { cause },
    );
  }
}

async function prepare(dataDir: string): Promise<Supervisor> {
  const basePort = await freeBasePort(REPLICAS, '127.0.0.1');
  const config = packagedConfigFile();
  return new Supervisor(planLaunch({ config, data: dataDir, nodes: REPLICAS, basePort }), false);
}

type Story = {
  readonly supervisor: Supervisor;
  readonly dataDir: string;
  readonly random: Prng;
  readonly options: DemoOptions;
  readonly narrate: Narrate;
};

async function tell(story: Story): Promise<DemoReport> {
  const { supervisor, dataDir, narrate, options } = story;
  narrate('starting three nodes');
  await supervisor.start();
  const cluster = await locateCluster({ data: dataDir });
  const bootstrap = cluster.state.nodes.map((node) => node.kafka);
  const client = new KafkaClient({ bootstrap, connectTimeoutMs: 1_000 });
  try {
    const faults = { kill: 0, pause: 0 };
    const gaps: number[] = [];
    const writer = await beginWriting(client, narrate);
    for (let round = 1; round <= options.rounds; round++) {
      const fault = round % 3 === 0 ? 'pause' : 'kill';
      gaps.push(await playRound(story, cluster, writer, fault));
      faults[fault] += 1;
    }
    await sleep(CALM_MS);
    await writer.stop();
    narrate(`stopped writing: ${writer.journal.length} records were acknowledged`);
    const brokers = bootstrap.map((a) => `${a.host}:${a.port}`).join(',');
    const verdict = await askJudge(story, brokers, writer);
    const changed = verdict.changed + writer.reordered;
    const { lost, duplicated } = verdict;
    return {
      seed: options.seed,
      rounds: options.rounds,
      acked: writer.journal.length,
      lost,
      changed,
      duplicated,
      faults,
      gapsMs: { p50: percentile(gaps, 0.5), p99: percentile(gaps, 0.99) },
      ok: lost + changed + duplicated === 0 && writer.journal.length > 0,
    };
  } finally {
    client.close();
  }
}

async function beginWriting(client: KafkaClient, narrate: Narrate): Promise<DemoWriter> {
  await client.refresh([]);
  await createTopic(client, {
    name: TOPIC,
    partitions: PARTITIONS,
    replicationFactor: REPLICAS,
    configs: {},
  });
  narrate(`created the topic ${TOPIC}: ${PARTITIONS} partitions, ${REPLICAS} replicas of each`);
  await retrying(performance.now() + RECOVERY_MS_MAX, () => client.refresh([TOPIC]));
  const writer = new DemoWriter(client, TOPIC, PARTITIONS);
  writer.start();
  narrate('writing to all of them with acks=all, without a pause');
  await sleep(CALM_MS);
  return writer;
}

/** One fault and the recovery from it; returns how long the partition took no acknowledgement. */
async function playRound(
  { random, dataDir, narrate }: Story,
  cluster: LocatedCluster,
  writer: DemoWriter,
  fault: Extract<Fault, 'kill' | 'pause'>,
): Promise<number> {
  const partition = random.int(0, PARTITIONS);
  const current = await locateCluster({ data: dataDir });
  const leader = await findTarget(current, 'leader', { topic: TOPIC, partition });
  writer.takeGapMs(partition);
  const pid = await applyFault(leader, fault);
  const begin = performance.now();
  const verb = fault === 'kill' ? 'kill -9' : 'pause (SIGSTOP)';
  narrate(`${verb} node ${leader.id}, pid ${pid}, the leader of ${TOPIC}-${partition}`);
  await nextAck(writer, partition, begin);
  const recoveredMs = performance.now() - begin;
  if (fault === 'pause') {
    // Long enough for the others to go on without it: it comes back as a leader of the past.
    await sleep(Math.max(0, PAUSE_MS - recoveredMs));
    await applyFault(leader, 'resume');
  } else {
    await sleep(CALM_MS);
    await startNode(cluster, leader.id, {
      timeoutMs: RECOVERY_MS_MAX,
      isWaitingForSync: true,
      note: narrate,
    });
  }
  const gapMs = Math.round(writer.takeGapMs(partition));
  narrate(`${TOPIC}-${partition} was silent for ${gapMs} ms; node ${leader.id} is back`);
  await sleep(CALM_MS);
  return gapMs;
}

async function nextAck(writer: DemoWriter, partition: number, after: number): Promise<void> {
  // Answers that were on their way when the fault came do not count.
  const settled = after + 200;
  while (writer.lastAckAt(partition) < settled) {
    if (performance.now() - after > RECOVERY_MS_MAX) {
      throw new LograftError(
        'PROMISE_BROKEN',
        `${TOPIC}-${partition} took no record for ${RECOVERY_MS_MAX / 1000} s after the fault`,
      );
    }
    await sleep(10);
  }
}

async function askJudge(
  { dataDir, options, narrate }: Story,
  brokers: string,
  writer: DemoWriter,
): Promise<Verdict> {
  const journalFile = join(dataDir, 'demo-journal.txt');
  writeFileSync(journalFile, encodeJournal(writer.journal));
  narrate('a kafkajs consumer in another process reads everything and compares');
  const hook = options.breakPromise === true ? ['--break-promise'] : [];
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [JUDGE, brokers, TOPIC, journalFile, ...hook],
      { timeout: JUDGE_MS_MAX },
    );
    const verdict = JSON.parse(stdout) as Verdict;
    narrate(`it read ${verdict.read} records`);
    return verdict;
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() ?? '';
    throw new LograftError('PROMISE_BROKEN', `the judge gave no verdict: ${said}`, undefined, {
      cause,
    });
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function reportText(report: DemoReport): string {
  const { acked, lost, changed, duplicated, faults, gapsMs, ok } = report;
  return [
    `${acked} records acknowledged; leaders killed: ${faults.kill}, paused: ${faults.pause}`,
    `lost ${lost}, changed ${changed}, duplicated ${duplicated}`,
    `a partition without its leader: silent ${gapsMs.p50} ms (median), ${gapsMs.p99} ms at most`,
    ok ? 'every promise held' : 'A PROMISE WAS BROKEN',
  ].join('\n');
}
