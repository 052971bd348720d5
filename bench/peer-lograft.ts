/**
 * lograft as its user starts it: the command line of this checkout, three detached nodes in a
 * folder of their own. Settings of the user's own cluster in the environment are left out.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freeBasePort } from './free-ports.js';
import { type Cluster, type Durability, type Peer, killQuietly, track } from './system.js';

const run = promisify(execFile);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/cli/main.js');
const CONFIG = join(ROOT, 'cluster.yml');
const NODE_IDS = [1, 2, 3];
const PEER_PORT_OFFSET = 100;
const HTTP_PORT_OFFSET = 200;
const PORT_OFFSETS = NODE_IDS.flatMap((id) => [
  id - 1,
  PEER_PORT_OFFSET + id,
  HTTP_PORT_OFFSET + id,
]);
const ELECTIONS = /^lograft_elections_total\{.*\} (\d+)$/gm;
/** Old data goes soon, and leaders are where they shall be soon after a topic was created. */
const SETTINGS = [
  'log.retention.check.interval.ms=500',
  'leader.imbalance.check.interval.seconds=1',
  'auto.create.topics.enable=false',
];

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};

export const lograftPeer: Peer = {
  name: 'lograft',
  label: `lograft ${version}`,
  install: () => Promise.resolve(),
  topicConfigs: (durability: Durability) => ({ durability }),
  describe: (durability: Durability) =>
    durability === 'synced'
      ? 'synced: on the disk of a majority'
      : 'cached: in the page cache of a majority',
  launch,
};

async function launch(directory: string): Promise<Cluster> {
  const basePort = await freeBasePort(PORT_OFFSETS);
  const lograft = async (...args: readonly string[]): Promise<void> => {
    await run(process.execPath, [MAIN, ...args, '--data', directory], { env: cleanEnvironment() });
  };
  const settings = SETTINGS.flatMap((setting) => ['--set', setting]);
  const base = ['--config', CONFIG, '--base-port', String(basePort)];
  return track(directory, {
    directory,
    bootstrap: NODE_IDS.map((id) => ({ host: '127.0.0.1', port: basePort + id - 1 })),
    commandMs: performance.now(),
    ready: lograft('up', '--detach', ...base, ...settings),
    pids: () => [...readPids(directory).values()],
    elections: () => countElections(basePort),
    kill: (nodeId) => killQuietly(readPids(directory).get(nodeId) as number),
    restart: (nodeId) => lograft('start', String(nodeId)),
    stop: () => lograft('down'),
    abandon: () => {
      for (const pid of readPids(directory).values()) killQuietly(pid);
    },
  });
}

/** All reasons together: also a leadership that was handed over stops acks for a moment. */
async function countElections(basePort: number): Promise<number> {
  const counts = NODE_IDS.map(async (id) => {
    const url = `http://127.0.0.1:${basePort + HTTP_PORT_OFFSET + id}/metrics`;
    const samples = [...(await (await fetch(url)).text()).matchAll(ELECTIONS)];
    if (samples.length === 0) throw new Error(`${url} does not tell of elections`);
    return samples.reduce((total, [, count]) => total + Number(count), 0);
  });
  return (await Promise.all(counts)).reduce((total, count) => total + count, 0);
}

/** The file in which the command line notes what it started; nothing before it did. */
function readPids(directory: string): Map<number, number> {
  const path = join(directory, 'cluster.json');
  if (!existsSync(path)) return new Map();
  const { nodes } = JSON.parse(readFileSync(path, 'utf8')) as {
    nodes: readonly { readonly id: number; readonly pid: number | null }[];
  };
  return new Map(nodes.flatMap(({ id, pid }) => (pid === null ? [] : [[id, pid] as const])));
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('LOGRAFT_'));
  return Object.fromEntries(kept);
}
