/**
 * Files of one node are damaged while it is down, each partition in its own way. It comes back, its
 * peers repair what it cannot prove, and all three nodes agree byte for byte.
 */
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import { TestCluster } from '../support/cluster.js';
import { waitInSync } from '../support/in-sync.js';
import { waitFor } from '../support/wait-for.js';
import { isAlive, signalQuietly } from '../support/command.js';
import { readLog } from './node-facts.js';
import { Recorder } from './recorder.js';

type Damage = readonly [name: string, apply: (folder: string) => void];

/** One segment each. */
const ACTIVE: readonly Damage[] = [
  ['torn tail', (folder) => shorten(lastLog(folder), 20)],
  ['cut indexes', (folder) => cutIndexes(folder)],
  ['indexes ahead of the log', (folder) => extendIndexes(folder)],
  ['bit flip in the last batch', (folder) => flip(lastLog(folder), -7)],
  ['bit flip in the middle', (folder) => flip(lastLog(folder), 0.5)],
  ['garbage behind the end', (folder) => appendFileSync(lastLog(folder), Buffer.alloc(300, 7))],
  ['zeros behind the end', (folder) => appendFileSync(lastLog(folder), Buffer.alloc(5_000))],
  ['empty log file', (folder) => truncateSync(lastLog(folder), 0)],
];

/** Several sealed segments. */
const ROLLED: readonly Damage[] = [
  ['missing first segment', (folder) => rmSync(logs(folder)[0] as string)],
  ['missing middle segment', (folder) => rmSync(logs(folder)[2] as string)],
  ['missing active segment', (folder) => rmSync(lastLog(folder))],
  ['sealed segment cut short', (folder) => shorten(logs(folder)[1] as string, 100)],
  ['bit flip in a sealed segment', (folder) => flip(logs(folder)[1] as string, 0.5)],
  ['missing replica-state', (folder) => rmSync(join(folder, 'replica-state'), { force: true })],
  ['missing partition.metadata', (folder) => rmSync(join(folder, 'partition.metadata'))],
  ['missing folder', (folder) => rmSync(folder, { recursive: true })],
];

const cluster = await TestCluster.start({ settings: ['replica.lag.time.max.ms=2000'] });
await cluster.createTopic('active', ACTIVE.length);
await cluster.createTopic('rolled', ROLLED.length, ['segment.bytes=8192']);
const recorder = new Recorder(cluster, ['active', 'rolled']);

async function writeEverywhere(batches: number): Promise<void> {
  await Promise.all([
    ...ACTIVE.map((_, p) => recorder.writeMany('active', p, batches)),
    ...ROLLED.map((_, p) => recorder.writeMany('rolled', p, batches)),
  ]);
}

function damage(node: number): void {
  const folderOf = (topic: string, p: number): string =>
    join(cluster.dataDir, `node-${node}/${topic}-${p}`);
  for (const [p, [, apply]] of ACTIVE.entries()) apply(folderOf('active', p));
  for (const [p, [, apply]] of ROLLED.entries()) apply(folderOf('rolled', p));
}

test('damage of every kind on a node that was killed', async () => {
  await writeEverywhere(50);
  await waitInSync(cluster, ['active', 'rolled']);
  cluster.signal(2, 'SIGKILL');
  damage(2);
  await writeEverywhere(3);
  await cluster.startNode(2);
  await writeEverywhere(3);
  await waitInSync(cluster, ['active', 'rolled']);
});

test('the same on a node that was stopped cleanly, where nothing is scanned at first', async () => {
  const pid = cluster.pid(1);
  signalQuietly(pid, 'SIGTERM');
  await waitFor('node 1 to end', () => !isAlive(pid));
  damage(1);
  flip(lastLog(join(cluster.dataDir, 'node-1/__cluster_metadata-0')), 0.5);
  await cluster.startNode(1);
  const scrubbed = (): number =>
    readLog(cluster, 1).filter(({ msg }) => msg === 'damaged bytes in the log').length;
  const flips = [...ACTIVE, ...ROLLED].filter(([name]) => name.startsWith('bit flip')).length;
  await waitFor('flipped bits to be found', () => scrubbed() >= flips);
  await writeEverywhere(2);
});

test('all nodes agree and nothing is lost', () => recorder.judge());

test.after(async () => {
  await recorder.client.close();
  await cluster.down();
});

test.run();

function logs(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /^\d{20}\.log$/.test(name));
  return names.sort().map((name) => join(folder, name));
}

function lastLog(folder: string): string {
  return logs(folder).at(-1) as string;
}

function shorten(path: string, bytes: number): void {
  truncateSync(path, statSync(path).size - bytes);
}

/** Flips a bit at a fraction of the file, or so many bytes before its end. */
function flip(path: string, where: number): void {
  const bytes = readFileSync(path);
  const at = where < 0 ? bytes.length + where : Math.floor(bytes.length * where);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  writeFileSync(path, bytes);
}

function indexes(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /\.(index|timeindex)$/.test(name))
    .map((name) => join(folder, name));
}

function cutIndexes(folder: string): void {
  for (const path of indexes(folder)) truncateSync(path, Math.floor(statSync(path).size / 2) + 1);
}

/** Entries whose offsets and positions lie far behind the end of the log. */
function extendIndexes(folder: string): void {
  for (const path of indexes(folder)) {
    const entry = Buffer.alloc(path.endsWith('.timeindex') ? 12 : 8, 0x3f);
    appendFileSync(path, Buffer.concat([entry, entry]));
  }
}
