/**
 * Rounds of faults under load, then the judgement. Writers and followers run from the first round
 * to the last and never wait for a round; each round hits nodes as the plan says, brings them back,
 * and demands acks in every partition during its last seconds. At the end everything is read back
 * through Kafka, the cluster is stopped, and the files of all nodes are compared.
 */
import { Prng } from '#src/base/prng.js';
import { TestCluster } from '../support/cluster.js';
import { ClusterLaunch } from '../support/cluster-launch.js';
import { waitInSync } from '../support/in-sync.js';
import { KafkaClient } from '../support/kafka-client.js';
import { sleep, waitFor } from '../support/wait-for.js';
import { AckGaps, type Percentiles, type Silence } from './ack-gaps.js';
import { type ClientName, makeClients } from './clients/clients.js';
import type { Fault, FaultKind } from './faults/fault.js';
import { planFaults } from './faults/registry.js';
import type { Readable } from './history/copies.js';
import { History } from './history/history.js';
import type { Violation } from './history/violation.js';
import { type PartitionName, keyOf, readAll } from './reader.js';
import { compareReplicas } from './replicas.js';
import { keepRefreshing } from './watchers/keep-refreshing.js';
import { makeWatchers, noteLeadersOfLogs, unseen } from './watchers/watchers.js';
import { Writer } from './writer.js';

export type ChaosOptions = {
  readonly seed: number;
  readonly rounds: number;
  readonly faults: readonly FaultKind[];
  readonly topics: number;
  readonly partitions: number;
  readonly writers: number;
  /** Pause of each writer between two batches. */
  readonly everyMs: number;
  readonly recordsPerBatch: number;
  /** From the nodes' return to the end of the round. */
  readonly settleMs: number;
  readonly topicConfigs: readonly string[];
  /** Who writes and reads besides the writers of this project. */
  readonly clients?: readonly ClientName[];
  readonly log: (line: string) => void;
};

export type ChaosResult = {
  readonly seed: number;
  readonly rounds: number;
  readonly acked: number;
  readonly lost: number;
  readonly changed: number;
  readonly duplicated: number;
  readonly faults: Readonly<Record<string, number>>;
  /** By kind: how often the system itself counted that it happened. */
  readonly proofs: Readonly<Record<string, number>>;
  readonly gapsMs: Percentiles;
  readonly gapsByFault: Readonly<Record<string, Percentiles>>;
  /** The longest time without an ack in any partition, faults without a majority left out. */
  readonly silenceMsByFault: Readonly<Record<string, number>>;
  readonly elections: Readonly<Record<string, Elections>>;
  readonly ok: boolean;
};

/** Leader epochs that passed during the rounds of one kind. */
export type Elections = {
  /** Of all partitions together, in all rounds. */
  readonly total: number;
  /** Of one partition, in one round. */
  readonly most: number;
};

/** More epochs of one partition in one round are a storm: hit, healed, moved back, and to spare. */
const ELECTIONS_MAX = 10;
/** A round must show acks in its last so many milliseconds. */
const LIVE_MS = 5_000;
/** How soon a writer hears of a new leader; no more than this of a gap is the client's. */
const METADATA_EVERY_MS = 100;
/** "In sync" is known to be true only so long after the last record. */
const REPLICA_LAG_MS = 2_000;

/** Broker settings that a cluster under test must have. */
const CHAOS_SETTINGS: readonly string[] = [`replica.lag.time.max.ms=${REPLICA_LAG_MS}`];

/** A cluster whose nodes are started as all of the kinds need it. */
export async function startChaosCluster(
  kinds: readonly FaultKind[],
  settings: readonly string[] = [],
): Promise<TestCluster> {
  const launch = await ClusterLaunch.make();
  try {
    for (const kind of kinds) await kind.prepareCluster?.(launch);
    const wanted = kinds.flatMap((kind) => kind.settings ?? []);
    const all = [...CHAOS_SETTINGS, ...wanted, ...settings];
    return await TestCluster.start({ launch, settings: all });
  } catch (error) {
    launch.release();
    throw error;
  }
}

export async function runChaos(cluster: TestCluster, options: ChaosOptions): Promise<ChaosResult> {
  const run = new ChaosRun(cluster, options);
  try {
    return await run.run();
  } catch (error) {
    options.log(`the run broke off; the nodes' last words:${cluster.lastLogLines()}`);
    throw error;
  } finally {
    await run.close();
  }
}

class ChaosRun {
  readonly #cluster: TestCluster;
  readonly #options: ChaosOptions;
  readonly #history: History;
  readonly #gaps = new AckGaps();
  readonly #client: KafkaClient;
  readonly #names: readonly PartitionName[];
  readonly #topics: readonly string[];
  readonly #counts: Record<string, number> = {};
  readonly #proofs: Record<string, number> = {};
  readonly #silences: Record<string, number> = {};
  readonly #elections: Record<string, Elections> = {};
  readonly #failures: string[] = [];
  #isStopping = false;
  /** When the clients were told to end: nobody is anybody's heir any more. */
  #stoppedAtMs = 0;

  constructor(cluster: TestCluster, options: ChaosOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const { faults, topics, partitions } = options;
    this.#history = new History(faults.some(({ mayServeDamage }) => mayServeDamage === true));
    this.#topics = Array.from({ length: topics }, (_, i) => `chaos-${i + 1}`);
    this.#names = this.#topics.flatMap((topic) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    );
    this.#client = new KafkaClient(cluster.bootstrap, this.#topics, 'chaos');
  }

  async run(): Promise<ChaosResult> {
    const { faults, partitions, topicConfigs } = this.#options;
    const configs = [...faults.flatMap((kind) => kind.topicConfigs ?? []), ...topicConfigs];
    for (const topic of this.#topics) {
      await this.#cluster.createTopic(topic, partitions, configs);
    }
    await this.#refreshUntilComplete();
    const writers = this.#makeWriters();
    const { seed } = this.#options;
    const watchers = makeWatchers(this.#cluster, this.#names, this.#history, seed);
    const clients = await makeClients(this.#options.clients ?? [], {
      cluster: this.#cluster,
      names: this.#names,
      history: this.#history,
      random: new Prng(seed + 1),
      log: this.#options.log,
    });
    const workers = [...writers, ...watchers, ...clients];
    const refreshing = keepRefreshing(this.#client, () => this.#isStopping, METADATA_EVERY_MS);
    const work = [...workers.map((worker) => worker.run()), refreshing];
    try {
      // Trouble of a worker must end the run at once, not at its end.
      await Promise.race([this.#runRounds(), Promise.all(work)]);
    } finally {
      this.#isStopping = true;
      this.#stoppedAtMs = performance.now();
      for (const worker of workers) worker.stop();
      this.#logOutcomes(writers);
    }
    await Promise.all(work);
    return this.#result(await this.#judge());
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #runRounds(): Promise<void> {
    const { rounds, faults, seed } = this.#options;
    await this.#waitForAcks();
    this.#options.log('every partition takes records');
    const plan = planFaults(new Prng(seed), rounds, faults, this.#cluster.nodeIds);
    for (const [index, fault] of plan.entries()) await this.#round(index + 1, fault);
  }

  #makeWriters(): Writer[] {
    const { everyMs, recordsPerBatch } = this.#options;
    return Array.from(
      { length: this.#options.writers },
      (_, writer) =>
        new Writer({
          writer,
          isIdempotent: writer % 2 === 1,
          client: this.#client,
          history: this.#history,
          gaps: this.#gaps,
          everyMs,
          recordsPerBatch,
        }),
    );
  }

  async #round(round: number, fault: Fault): Promise<void> {
    const { log, rounds, settleMs } = this.#options;
    const { detail = '', holdMs, kind, nodes } = fault;
    const acked = this.#history.ackedRecords;
    const epochs = this.#epochs();
    const led = this.#names.filter(({ topic, partition }) => {
      const leader = this.#client.leaderOf(topic, partition);
      return leader !== null && nodes.includes(leader.nodeId);
    });
    this.#gaps.startRound(performance.now());
    await this.#applyProven(round, fault, () => {
      if (!fault.isMajorityLost) this.#gaps.broke(led.map(keyOf), kind, performance.now());
    });
    await sleep(Math.max(settleMs, LIVE_MS));
    const elections = this.#noteElections(round, fault, epochs);
    const silence = this.#noteSilence(round, fault);
    const count = this.#history.ackedRecords - acked;
    const what = `${kind} ${nodes.join('+')}${detail} for ${holdMs} ms`;
    const where = `in ${silence.partition} from ${silence.fromMs} ms on`;
    const how = `at most ${silence.ms} ms without (${where}), ${elections} elections`;
    log(`round ${round}/${rounds}: ${what}: ${count} records acknowledged, ${how}`);
  }

  #noteSilence(round: number, fault: Fault): Silence {
    const nowMs = performance.now();
    const keys = this.#names.map(keyOf);
    const silent = this.#gaps.silentSince(keys, nowMs - LIVE_MS);
    if (silent.length > 0) {
      this.#fail(`round ${round}: no ack in the last ${LIVE_MS} ms in ${silent.join(', ')}`);
    }
    const silence = this.#gaps.longestSilence(keys, nowMs);
    if (fault.isMajorityLost) return silence;
    const { kind } = fault;
    this.#silences[kind] = Math.max(this.#silences[kind] ?? 0, silence.ms);
    if (silent.length === 0 && silence.ms > LIVE_MS) {
      const { ms, partition } = silence;
      this.#fail(`round ${round}: no ack for ${ms} ms in ${partition}, a majority is connected`);
    }
    return silence;
  }

  /** Leader epochs of all partitions, in the order of their names. */
  #epochs(): number[] {
    return this.#names.map(
      ({ topic, partition }) => this.#client.leaderOf(topic, partition)?.leaderEpoch ?? 0,
    );
  }

  #noteElections(round: number, { kind }: Fault, before: readonly number[]): number {
    const passed = this.#epochs().map((epoch, i) => epoch - (before[i] as number));
    const sum = passed.reduce((all, count) => all + count, 0);
    const most = Math.max(...passed);
    const noted = this.#elections[kind] ?? { total: 0, most: 0 };
    this.#elections[kind] = { total: noted.total + sum, most: Math.max(noted.most, most) };
    if (most > ELECTIONS_MAX) this.#fail(`round ${round}: ${most} elections of one partition`);
    return sum;
  }

  #fail(failure: string): void {
    this.#failures.push(failure);
    this.#options.log(`FAILED ${failure}`);
  }

  /** A fault that nobody else saw happen has not happened. */
  async #applyProven(round: number, fault: Fault, onHit: () => void): Promise<void> {
    const kind = this.#options.faults.find((known) => known.kind === fault.kind) as FaultKind;
    const before = await kind.proofs(this.#cluster);
    await kind.apply(this.#cluster, fault, onHit);
    const grown = (await kind.proofs(this.#cluster)) - before;
    this.#counts[kind.kind] = (this.#counts[kind.kind] ?? 0) + 1;
    this.#proofs[kind.kind] = (this.#proofs[kind.kind] ?? 0) + grown;
    if (grown > 0) return;
    this.#fail(`round ${round}: ${kind.kind} is not proven, no ${kind.proof}`);
  }

  async #refreshUntilComplete(): Promise<void> {
    await waitFor('every partition to have a leader', async () => {
      await this.#client.refresh();
      return this.#names.every(
        ({ topic, partition }) => this.#client.leaderOf(topic, partition) !== null,
      );
    });
  }

  async #waitForAcks(): Promise<void> {
    const keys = this.#names.map(keyOf);
    const startMs = performance.now();
    try {
      const isHeard = (): boolean => this.#gaps.silentSince(keys, startMs).length === 0;
      await waitFor('an ack in every partition', isHeard, { timeoutMs: 30_000 });
    } catch (error) {
      this.#options.log(`never: ${this.#gaps.silentSince(keys, startMs).join(' ')}`);
      throw error;
    }
  }

  async #judge(): Promise<Violation[]> {
    const { log } = this.#options;
    log('waiting for all replicas');
    await sleep(REPLICA_LAG_MS);
    await waitInSync(this.#cluster, this.#topics);
    await this.#client.refresh();
    log('reading everything back');
    const readable = new Map<string, Readable>();
    for (const name of this.#names) {
      readable.set(keyOf(name), await readAll(this.#client, name, this.#history));
    }
    await this.#cluster.down();
    noteLeadersOfLogs(this.#cluster, this.#history);
    for (const failure of unseen(this.#history)) this.#fail(failure);
    const counts = [...this.#history.counts].map(([kind, count]) => `${kind} ${count}`);
    log(`noted: ${counts.join(', ')}`);
    log('comparing the files of all nodes');
    return compareReplicas(this.#cluster, readable);
  }

  #logOutcomes(writers: readonly Writer[]): void {
    const sums = new Map<string, number>();
    for (const [outcome, count] of writers.flatMap((writer) => [...writer.outcomes])) {
      sums.set(outcome, (sums.get(outcome) ?? 0) + count);
    }
    const text = [...sums].map(([outcome, count]) => `${outcome} ${count}`).join(', ');
    this.#options.log(`answers: ${text}`);
  }

  #result(replicaViolations: readonly Violation[]): ChaosResult {
    const { log, rounds, seed } = this.#options;
    const verdict = this.#history.verdict(this.#stoppedAtMs);
    const all = [...verdict.violations, ...replicaViolations];
    for (const { id, text } of all.slice(0, 40)) log(`${id} ${text}`);
    if (all.length > 40) log(`and ${all.length - 40} violations more`);
    for (const failure of this.#failures) log(failure);
    log(`${verdict.unknown} records without a final answer, ${verdict.unknownFound} of them kept`);
    const damaged = this.#history.counts.get('damaged') ?? 0;
    if (damaged > 0) log(`${damaged} damaged answers refused`);
    const { acked, lost, changed, duplicated } = verdict;
    return {
      seed,
      rounds,
      acked,
      lost,
      changed,
      duplicated,
      faults: this.#counts,
      proofs: this.#proofs,
      gapsMs: this.#gaps.percentiles(),
      gapsByFault: this.#gaps.byKind(),
      silenceMsByFault: this.#silences,
      elections: this.#elections,
      ok: acked > 0 && all.length === 0 && this.#failures.length === 0,
    };
  }
}
