/**
 * Apache Kafka as the peer: three combined KRaft nodes on loopback with Kafka's own heap and GC
 * settings, fetched once by `.ci/fetch-kafka` (which needs Maven) into the cache of the tests. JITs
 * are warmed up by the bench, not here.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { randomUuid } from '#src/base/uuid.js';
import { freeBasePort } from './free-ports.js';
import { retry } from './kafka-calls.js';
import { type Cluster, type Durability, type Peer, killQuietly, track } from './system.js';

const run = promisify(execFile);

const CACHE =
  process.env['LOGRAFT_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lograft');
const HOME = join(CACHE, 'kafka');
const FETCH = fileURLToPath(new URL('../../.ci/fetch-kafka', import.meta.url));

const NODE_IDS = [1, 2, 3];
/** Controllers listen this far above the brokers. */
const CONTROLLER_OFFSET = 10;
const PORT_OFFSETS = NODE_IDS.flatMap((id) => [id - 1, CONTROLLER_OFFSET + id - 1]);
/** What kafka-server-start.sh and kafka-run-class.sh give the JVM. */
const JVM = [
  ...['-server', '-Xmx1G', '-Xms1G', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent'],
];
const PORT_POLL_MS = 20;

export const kafkaPeer: Peer = {
  name: 'kafka',
  label: 'Apache Kafka 4.3.1',
  install,
  topicConfigs: (durability: Durability) => ({
    'min.insync.replicas': '2',
    'file.delete.delay.ms': '100',
    ...(durability === 'synced' ? { 'flush.messages': '1' } : {}),
  }),
  describe: (durability: Durability) =>
    durability === 'synced'
      ? 'flush.messages=1: on the disk of all in-sync replicas'
      : 'in the page cache of all in-sync replicas',
  launch,
};

function install(): Promise<void> {
  const java = spawnSync('java', ['-version']);
  if (java.error !== undefined) {
    return Promise.reject(new Error('Java is missing: apt-get install default-jdk-headless.'));
  }
  const fetched = spawnSync(FETCH, [HOME], { stdio: ['ignore', 2, 2] });
  if (fetched.status === 0 && existsSync(join(HOME, 'libs'))) return Promise.resolve();
  return Promise.reject(new Error('It could not be fetched (see above).'));
}

async function launch(directory: string): Promise<Cluster> {
  const basePort = await freeBasePort(PORT_OFFSETS);
  const clusterId = randomUuid();
  await Promise.all(NODE_IDS.map((id) => format(directory, id, basePort, clusterId)));
  const nodes = new Map<number, ChildProcess>();
  const pids = (): number[] => [...nodes.values()].map(({ pid }) => pid as number);
  const start = async (id: number): Promise<void> => {
    const node = startNode(directory, id);
    nodes.set(id, node);
    await retry(`Kafka's node ${id}`, () => connectOnce(node, basePort + id - 1), PORT_POLL_MS);
  };
  const stop = (id: number): void => {
    killQuietly(nodes.get(id)?.pid as number);
    nodes.delete(id);
  };
  const commandMs = performance.now();
  return track(directory, {
    directory,
    bootstrap: NODE_IDS.map((id) => ({ host: '127.0.0.1', port: basePort + id - 1 })),
    commandMs,
    ready: Promise.all(NODE_IDS.map(start)).then(() => undefined),
    pids,
    elections: () => Promise.resolve(null),
    kill: stop,
    restart: start,
    stop: async () => {
      const ends = [...nodes.values()].map((node) => new Promise((end) => node.once('exit', end)));
      NODE_IDS.filter((id) => nodes.has(id)).forEach(stop);
      await Promise.all(ends);
    },
    abandon: () => {
      for (const pid of pids()) killQuietly(pid);
    },
  });
}

async function format(
  directory: string,
  id: number,
  basePort: number,
  clusterId: string,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const file = propertiesFile(directory, id);
  writeFileSync(file, propertiesText(directory, id, basePort));
  await run('java', [
    ...classPath(),
    'kafka.tools.StorageTool',
    'format',
    '-t',
    clusterId,
    '-c',
    file,
  ]);
}

function propertiesFile(directory: string, id: number): string {
  return join(directory, `${id}.properties`);
}

function propertiesText(directory: string, id: number, basePort: number): string {
  const address = (listener: string, port: number): string => `${listener}://127.0.0.1:${port}`;
  const broker = address('PLAINTEXT', basePort + id - 1);
  const controllerPort = (node: number): number => basePort + CONTROLLER_OFFSET + node - 1;
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': NODE_IDS.map((n) => `${n}@127.0.0.1:${controllerPort(n)}`).join(),
    listeners: `${broker},${address('CONTROLLER', controllerPort(id))}`,
    'advertised.listeners': broker,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(directory, String(id)),
    'auto.create.topics.enable': 'false',
    'log.retention.check.interval.ms': '500',
    'log.initial.task.delay.ms': '500',
    // Of deleted topics, whose own setting is gone with them.
    'log.segment.delete.delay.ms': '100',
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function classPath(): string[] {
  const logging = `-Dlog4j2.configurationFile=${join(HOME, 'log4j2.properties')}`;
  return [logging, '-cp', `${join(HOME, 'libs')}/*`];
}

function startNode(directory: string, id: number): ChildProcess {
  const log = openSync(join(directory, `${id}.out`), 'a');
  const args = [...JVM, ...classPath(), 'kafka.Kafka', propertiesFile(directory, id)];
  const node = spawn('java', args, { stdio: ['ignore', log, log] });
  closeSync(log);
  return node;
}

/** A broker opens its port to clients once it is registered and may serve. */
function connectOnce(node: ChildProcess, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (node.exitCode !== null) reject(new Error(`it ended with exit ${node.exitCode}`));
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}
