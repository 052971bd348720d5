/**
 * A folder on a disk of its own: ext4 on a loop device over an image, so that it can fill up and
 * lose power without harm to the machine. Needs root. Its promise: mount, loop device and image are
 * gone when this process is, even if that is killed; the image has no name in the first place.
 *
 *     attach ─▶ mounted ──powerCut──▶ dead ──remount──▶ mounted ──close──▶ gone
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitOnSignal } from './exit-on-signal.js';
import { signalQuietly } from './command.js';
import { compileC, missingCompiler } from './compile-c.js';
import { missingCommand } from './requires.js';
import { tempDir } from './temp-dir.js';
import { waitFor } from './wait-for.js';

const UNMOUNT_MS = 15_000;
const CANARY = 'canary';
/** What the helper writes into the canary. */
const CANARY_BYTES = 65_536;

/** What a power cut took away. */
export type Vanished = {
  /** Of the canary that was written right before the cut, not synced. */
  readonly canaryBytes: number;
  /** Files that are shorter than they were, or gone, and by how many bytes in all. */
  readonly files: number;
  readonly bytes: number;
};

const attached = new Set<LoopDisk>();

export class LoopDisk {
  readonly path: string;
  /** The block device's path. */
  readonly device: string;
  readonly #heir: ChildProcess;
  #sizes = new Map<string, number>();
  #isMounted = false;

  private constructor(path: string, device: string) {
    this.path = path;
    this.device = device;
    this.#heir = startHeir(path, device);
  }

  /** Null when this machine lets us have such disks, else the reason. */
  static missing(): string | null {
    if (process.platform !== 'linux') return 'loop devices are Linux only';
    if (process.getuid?.() !== 0) return 'loop devices need root';
    for (const [command, hint] of COMMANDS) {
      const missing = missingCommand(command, hint);
      if (missing !== null) return missing;
    }
    const compiler = missingCompiler();
    if (compiler !== null) return compiler;
    try {
      LoopDisk.attach(join(tempDir('probe'), 'disk'), 16 << 20).close();
      return null;
    } catch (error) {
      return `a loop device cannot be mounted here: ${(error as Error).message}`;
    }
  }

  /** Puts a folder, which nobody uses now and which may not exist, onto a new disk. */
  static attach(path: string, sizeBytes: number): LoopDisk {
    cleanUpAtExit();
    const disk = new LoopDisk(path, makeDevice(sizeBytes));
    attached.add(disk);
    disk.#moveOnto(path);
    return disk;
  }

  /**
   * Cuts the power of several disks at once: nothing that is not on them reaches them any more.
   * Whatever runs on them gets errors from now on; end it, then {@link remount}.
   */
  static powerCut(disks: readonly LoopDisk[]): void {
    for (const disk of disks) disk.#sizes = sizesUnder(disk.path);
    mustRun(compileC('chaos/shim/power_cut.c', 'program'), ...disks.map(({ path }) => path));
  }

  /** After a power cut, when no process uses the disk: what is left of it is there again. */
  async remount(): Promise<Vanished> {
    await this.unmount();
    this.mount();
    return this.#vanished();
  }

  async unmount(): Promise<void> {
    if (!this.#isMounted) return;
    let said = '';
    const tryOnce = (): boolean => {
      const { status, stderr } = spawnSync('umount', [this.path]);
      said = stderr.toString();
      return status === 0;
    };
    try {
      await waitFor(`umount ${this.path}`, tryOnce, { timeoutMs: UNMOUNT_MS, everyMs: 20 });
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${said}`, { cause: error });
    }
    this.#isMounted = false;
  }

  mount(): void {
    mustRun('mount', '-t', 'ext4', this.device, this.path);
    this.#isMounted = true;
  }

  /** Blocking and rough: the folder, as far as it matters to anybody, is empty afterwards. */
  close(): void {
    // A number it was told may soon be another disk's.
    if (this.#heir.pid !== undefined) signalQuietly(this.#heir.pid, 'SIGKILL');
    if (this.#isMounted) spawnSync('umount', ['-l', this.path]);
    this.#isMounted = false;
    spawnSync('losetup', ['-d', this.device]);
    attached.delete(this);
  }

  #moveOnto(path: string): void {
    const before = `${path}.before`;
    let isUsed = true;
    try {
      renameSync(path, before);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      isUsed = false;
    }
    mkdirSync(path, { recursive: true });
    this.mount();
    rmSync(join(path, 'lost+found'), { recursive: true });
    if (!isUsed) return;
    cpSync(before, path, { recursive: true });
    rmSync(before, { recursive: true });
    mustRun('sync', '-f', path);
  }

  #vanished(): Vanished {
    const now = sizesUnder(this.path);
    const canaryBytes = CANARY_BYTES - readCanary(this.path);
    rmSync(join(this.path, CANARY), { force: true });
    let files = 0;
    let bytes = 0;
    for (const [path, size] of this.#sizes) {
      const lost = size - (now.get(path) ?? 0);
      if (lost <= 0 || path === CANARY) continue;
      files += 1;
      bytes += lost;
    }
    return { canaryBytes, files, bytes };
  }
}

/** A process that outlives this one, however it ends, and then clears away the disk. */
function startHeir(path: string, device: string): ChildProcess {
  const env = { ...process.env };
  // It is not left behind by a test, it is the one who sees to that.
  delete env['TEST_FILE_MARK'];
  // Only the end of its input tells it to act: a signal for the whole group does not end it.
  const script = 'trap "" HUP INT TERM; read -r _; umount -l "$1"; losetup -d "$2"';
  const heir = spawn('/bin/sh', ['-c', script, 'sh', path, device], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env,
  });
  heir.unref();
  (heir.stdin as unknown as { unref(): void }).unref();
  return heir;
}

const COMMANDS = [
  ['mkfs.ext4', 'apt-get install e2fsprogs'],
  ['losetup', 'apt-get install util-linux'],
] as const;

/** A formatted loop device; its image has no name any more, and so goes with the device. */
function makeDevice(sizeBytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-image-'));
  try {
    const image = join(folder, 'image');
    const fd = openSync(image, 'w');
    ftruncateSync(fd, sizeBytes);
    closeSync(fd);
    mustRun('mkfs.ext4', '-q', '-m', '0', '-E', 'lazy_itable_init=1', image);
    return mustRun('losetup', '--find', '--show', image).trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readCanary(directory: string): number {
  try {
    return readFileSync(join(directory, CANARY)).filter((byte) => byte === 0x63).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** Sizes of all files; those that go while this looks are left out. */
function sizesUnder(directory: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const found = statSync(join(directory, name), { throwIfNoEntry: false });
    if (found?.isFile() === true) sizes.set(name, found.size);
  }
  return sizes;
}

function mustRun(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args);
  if (status === 0) return stdout.toString();
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.toString().trim()}`);
}

let isCleanUpSet = false;

/**
 * Before the folders that hold the mount points go, and after the clusters on them, which register
 * later, were killed: a lazy unmount does not wait for them to be gone.
 */
function cleanUpAtExit(): void {
  if (isCleanUpSet) return;
  isCleanUpSet = true;
  process.prependListener('exit', () => {
    for (const disk of [...attached]) disk.close();
  });
  exitOnSignal();
}
