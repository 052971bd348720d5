/**
 * Clients that nobody here wrote, in the same run and under the same judgement: kcat (librdkafka),
 * kafkajs and Apache Kafka's Java producer, each idempotent.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Prng } from '#src/base/prng.js';
import { KAFKA_LIBS, javaArguments, missingJavaClient } from '../../support/clients.js';
import type { TestCluster } from '../../support/cluster.js';
import { mustRun } from '../../support/command.js';
import { missingCommand } from '../../support/requires.js';
import { tempDir } from '../../support/temp-dir.js';
import { REPOSITORY } from '../../tidy/source-tree.js';
import type { History } from '../history/history.js';
import type { PartitionName } from '../reader.js';
import type { Worker } from '../watchers/worker.js';
import { ForeignGroup } from './foreign-group.js';
import { ForeignReader } from './foreign-reader.js';
import { type Fate, ForeignWriter } from './foreign-writer.js';
import type { Command } from './program.js';

/** `own` are the writers of this project: they are always there, because they measure. */
export const CLIENT_NAMES = ['own', 'kcat', 'kafkajs', 'java'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

/** Numbers of writers are unique in a run; those of this project begin at 0. */
const FIRST_WRITER = { kcat: 1_000, kafkajs: 2_000, java: 3_000 } as const;
/** kcat writes to one partition per process. */
const KCAT_PARTITIONS = 2;
const JAVA_SOURCE = join(REPOSITORY, 'test/chaos/clients/ChaosProducer.java');
const KAFKAJS = fileURLToPath(new URL('./kafkajs-producer.js', import.meta.url));

export type ClientOptions = {
  readonly cluster: TestCluster;
  readonly names: readonly PartitionName[];
  readonly history: History;
  readonly random: Prng;
  readonly log: (line: string) => void;
};

export function isClientName(text: string): text is ClientName {
  return (CLIENT_NAMES as readonly string[]).includes(text);
}

/** Why a client can not run on this machine; null when it can. */
export function missingClient(name: ClientName): string | null {
  if (name === 'kcat') return missingCommand('kcat', 'apt-get install kcat');
  return name === 'java' ? missingJavaClient() : null;
}

/** All work on the first topic. */
export async function makeClients(
  chosen: readonly ClientName[],
  { names: all, ...options }: ClientOptions,
): Promise<Worker[]> {
  const { topic } = all[0] as PartitionName;
  const names = all.filter((name) => name.topic === topic);
  const workers: Worker[] = [];
  if (chosen.includes('kcat')) workers.push(...makeKcat({ names, ...options }));
  if (chosen.includes('kafkajs')) workers.push(...makeKafkajs({ names, ...options }));
  if (chosen.includes('java')) workers.push(await makeJava({ names, ...options }));
  return workers;
}

function makeKcat({ cluster, names, history, random, log }: ClientOptions): Worker[] {
  const bootstrap = cluster.bootstrap.join(',');
  return names.slice(0, KCAT_PARTITIONS).flatMap((name, i) => {
    const where = ['-b', bootstrap, '-t', name.topic, '-p', String(name.partition), '-E'];
    const idempotent = ['-X', 'enable.idempotence=true', '-X', 'linger.ms=5'];
    const writer = new ForeignWriter({
      name: `kcat ${i}`,
      writer: FIRST_WRITER.kcat + i,
      command: ['kcat', '-P', ...where, '-vvv', ...idempotent],
      names: [name],
      history,
      random: random.fork(),
      order: (_, value) => value,
      fateOf: fateOfKcat,
      log,
    });
    const commandFrom = (offset: number): Command => {
      const how = ['-o', String(offset), '-u', '-q', '-f', '%p %o %s\\n'];
      return ['kcat', '-C', ...where, ...how];
    };
    const reader = new ForeignReader({ name, history, commandFrom });
    return readsSafely(history) ? [writer, reader] : [writer];
  });
}

/** kcat and kafkajs do not look at checksums: where rot is served they read what is not there. */
function readsSafely({ toleratesDamage }: History): boolean {
  return !toleratesDamage;
}

/** librdkafka reports an idempotent producer's records of a partition in order, but unnamed. */
export function fateOfKcat(line: string): Fate | null {
  const delivered = /^% Message delivered to partition \d+ \(offset (-?\d+)\)/.exec(line);
  if (delivered !== null) return { kind: 'acked', value: null, offset: Number(delivered[1]) };
  const failed = /^% Delivery failed for message: (.*)$/.exec(line);
  return failed === null ? null : { kind: 'failed', value: null, reason: failed[1] as string };
}

function makeKafkajs(options: ClientOptions): Worker[] {
  const { cluster, names, history, random, log } = options;
  const { bootstrap } = cluster;
  const { topic } = names[0] as PartitionName;
  const command: Command = [process.execPath, KAFKAJS, bootstrap.join(','), topic];
  const writer = makeLineWriter('kafkajs', command, options);
  const partitions = names.length;
  const where = { group: 'kafkajs', topic, partitions, bootstrap };
  if (!readsSafely(history)) return [writer];
  return [writer, new ForeignGroup({ ...where, history, random: random.fork(), log })];
}

async function makeJava(options: ClientOptions): Promise<Worker> {
  const { cluster, names } = options;
  const classes = tempDir('chaos-classes');
  await mustRun('javac', ['-proc:none', '-cp', `${KAFKA_LIBS}/*`, '-d', classes, JAVA_SOURCE]);
  const { topic } = names[0] as PartitionName;
  const program = ['ChaosProducer', cluster.bootstrap.join(','), topic];
  return makeLineWriter('java', ['java', ...javaArguments([classes]), ...program], options);
}

/** A producer that takes lines `partition value` and answers as {@link fateOfLine} reads. */
function makeLineWriter(
  name: 'kafkajs' | 'java',
  command: Command,
  { names, history, random, log }: ClientOptions,
): ForeignWriter {
  return new ForeignWriter({
    name,
    writer: FIRST_WRITER[name],
    command,
    names,
    history,
    random: random.fork(),
    order: ({ partition }, value) => `${partition} ${value}`,
    fateOf: fateOfLine,
    log,
  });
}

export function fateOfLine(line: string): Fate | null {
  const acked = /^acked (\S+) (-?\d+)$/.exec(line);
  if (acked !== null) return { kind: 'acked', value: acked[1] as string, offset: Number(acked[2]) };
  const failed = /^failed (\S+) (.*)$/.exec(line);
  if (failed === null) return null;
  return { kind: 'failed', value: failed[1] as string, reason: failed[2] as string };
}
