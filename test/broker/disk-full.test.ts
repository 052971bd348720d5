/**
 * Disks that fill up: below the low-water mark a produce is refused with a clear code, elections
 * and metadata go on even without a free byte, and the nodes heal by themselves when space returns.
 * The real thing needs the right to mount; the low-water mark alone is also tried without it.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { waitInSync } from '../support/in-sync.js';
import { testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';
import { waitFor } from '../support/wait-for.js';
import { changeSetting, createTopics, killNode } from './admin.js';
import { Recorder } from './recorder.js';

const TOPIC = 'full';
const DISK_BYTES = 40 << 20;
const FREE_BYTES_MIN = 8 << 20;
const REFUSED = 'KAFKA_STORAGE_ERROR';

const SETTINGS = ['replica.lag.time.max.ms=2000', 'log.wal.file.bytes=1048576'];

async function waitForRefusal(recorder: Recorder): Promise<void> {
  await waitFor('a produce to be refused', async () => {
    const { error, message } = await recorder.attempt(TOPIC, 0, { timeoutMs: 2_000 });
    if (error !== REFUSED) await recorder.client.tryRefresh();
    return error === REFUSED && /disk/.test(message);
  });
}

/** Kills the leader, waits for another one that serves, and starts the node again. */
async function mustElect(cluster: TestCluster, recorder: Recorder): Promise<void> {
  const leader = await cluster.leaderOf(TOPIC, 0);
  await killNode(cluster, leader);
  await waitFor('another leader to serve', async () => {
    await recorder.client.tryRefresh();
    if (recorder.client.leaderOf(TOPIC, 0)?.nodeId === leader) return false;
    return (await recorder.client.latestOffset(TOPIC, 0)) >= 0;
  });
  await cluster.startNode(leader);
}

test('below the low-water mark only produce is refused', async () => {
  const cluster = await TestCluster.start({ settings: SETTINGS });
  await cluster.createTopic(TOPIC, 1);
  const recorder = new Recorder(cluster, [TOPIC]);
  await recorder.writeMany(TOPIC, 0, 3);
  await cluster.down();
  changeSetting(cluster, 'log.free.bytes.min', Number.MAX_SAFE_INTEGER);
  await Promise.all(cluster.nodeIds.map((id) => cluster.startNode(id)));
  await waitForRefusal(recorder);
  await mustElect(cluster, recorder);
  await waitForRefusal(recorder);
  await cluster.createTopic('meanwhile', 2);
  await cluster.mustRun(['topic', 'delete', 'meanwhile']);
  await cluster.down();
  changeSetting(cluster, 'log.free.bytes.min', 0);
  await Promise.all(cluster.nodeIds.map((id) => cluster.startNode(id)));
  await recorder.writeMany(TOPIC, 0, 3);
  await recorder.judge();
});

/** Small disks of memory, gone with the process. */
class Mounts {
  readonly #paths: string[] = [];

  constructor() {
    process.prependListener('exit', () => this.close());
  }

  static missing(): string | null {
    if (process.platform !== 'linux') return 'tmpfs is Linux only';
    const path = tempDir('mount');
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path]);
    if (mounted.status !== 0) return 'mounting a tmpfs is not allowed here';
    spawnSync('umount', [path]);
    return null;
  }

  /** Puts a folder that nobody uses onto a disk of its own. */
  moveOnto(path: string): void {
    renameSync(path, `${path}.before`);
    mkdirSync(path);
    const size = `size=${DISK_BYTES}`;
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', path]);
    assert.is(status, 0, `mount ${path}`);
    this.#paths.push(path);
    cpSync(`${path}.before`, path, { recursive: true });
    rmSync(`${path}.before`, { recursive: true });
  }

  close(): void {
    for (const path of this.#paths.splice(0)) spawnSync('umount', ['-l', path]);
  }
}

/** Writes a file of zeros so that only so many bytes stay free. */
function fill(directory: string, leave: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const path = join(directory, 'filler');
  const size = bavail * bsize - leave;
  try {
    writeFileSync(path, Buffer.alloc(Math.max(0, size)), { flag: 'a' });
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
}

testWith(Mounts.missing(), 'tool')('full disks on all nodes, and space again', async () => {
  const settings = [...SETTINGS, `log.free.bytes.min=${FREE_BYTES_MIN}`];
  const cluster = await TestCluster.start({ settings });
  await cluster.createTopic(TOPIC, 1, ['segment.bytes=65536']);
  const recorder = new Recorder(cluster, [TOPIC]);
  await recorder.writeMany(TOPIC, 0, 3);
  await cluster.down();
  const mounts = new Mounts();
  const disks = cluster.nodeIds.map((id) => join(cluster.dataDir, `node-${id}`));
  for (const disk of disks) mounts.moveOnto(disk);
  await cluster.up();
  await recorder.writeMany(TOPIC, 0, 3);
  // Low: the node keeps the rest for itself.
  for (const disk of disks) fill(disk, FREE_BYTES_MIN / 2);
  await waitForRefusal(recorder);
  await cluster.createTopic('low', 2);
  // Full to the last byte: nobody can write anything new, but votes and metadata have their place.
  for (const disk of disks) fill(disk, 0);
  await waitForRefusal(recorder);
  await mustElect(cluster, recorder);
  await mustElect(cluster, recorder);
  await cluster.mustRun(['topic', 'alter', TOPIC, '-c', 'retention.ms=-1']);
  await cluster.mustRun(['topic', 'delete', 'low']);
  const names = Array.from({ length: 60 }, (_, i) => `full-${i}`);
  assert.equal(await createTopics(cluster, names, 500), [0]);
  for (const disk of disks) rmSync(join(disk, 'filler'));
  await recorder.writeMany(TOPIC, 0, 3);
  // Topics that found no room when they were created have it now.
  await waitInSync(cluster, names);
  await recorder.judge();
  mounts.close();
});

test.run();
