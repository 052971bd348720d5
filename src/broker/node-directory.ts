/**
 * A node's directory as a whole: who owns it, whether the last process closed it cleanly, and
 * whether the page cache that held its unsynced bytes is still the same one. Main thread, start and
 * stop only.
 *
 *     .lock             held while a broker runs on the directory
 *     .clean-shutdown   exists between a clean stop and the next start
 *     .page-cache       boot id and mount that the last process wrote through
 *
 * After the loss of the page cache the old identity stays until every replica has been opened and
 * knows what it lost: a node that is killed before finds it lost again.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { lockFile, syncDirectory, uniqueMountId } from '../native/files.js';

export type NodeDirectory = {
  readonly path: string;
  /** The last process closed every log: nothing needs a scan. */
  readonly isCleanStop: boolean;
  /** Bytes written but not synced by the last process are gone (reboot or new mount). */
  readonly isPageCacheLost: boolean;
  /**
   * Every replica was opened and has made durable what the loss means to it: it is over. Cheap when
   * there was none; on a full disk it is to be said again. False until it is done.
   */
  settlePageCache(): boolean;
  /** Leaves the marker of a clean stop, if there is room for it; call when every log is closed. */
  markClean(): void;
  release(): void;
};

const LOCK = '.lock';
const CLEAN = '.clean-shutdown';
const PAGE_CACHE = '.page-cache';

/**
 * Takes the directory for this process, making it when it does not exist.
 * @throws LograftError DIRECTORY_LOCKED when another broker runs on it
 */
export function openNodeDirectory(path: string): NodeDirectory {
  mkdirSync(path, { recursive: true });
  const lock = lockFile(join(path, LOCK));
  const isCleanStop = readOptional(join(path, CLEAN)) !== null;
  const before = readOptional(join(path, PAGE_CACHE));
  const now = pageCacheIdentity(path);
  const isPageCacheLost = before !== null && !isSamePageCache(before, now) && !isCleanStop;
  rmSync(join(path, CLEAN), { force: true });
  // Written only when it changed: a restart on a full disk needs no space.
  let isSettled = before === now;
  if (!isSettled && !isPageCacheLost) isSettled = tryReplace(join(path, PAGE_CACHE), now);
  // The marker must be gone before anything is written that a crash could leave half done.
  syncDirectory(path);
  return {
    path,
    isCleanStop,
    isPageCacheLost,
    settlePageCache: () => {
      isSettled ||= tryReplace(join(path, PAGE_CACHE), now);
      return isSettled;
    },
    markClean: () => {
      // A replica that was not opened would take this for its own clean stop.
      if (isSettled || !isPageCacheLost) markClean(path);
    },
    release: () => lock.release(),
  };
}

function markClean(path: string): void {
  try {
    writeFileSync(join(path, CLEAN), '', { flush: true });
    syncDirectory(path);
  } catch (error) {
    // Without the marker the next start looks at the logs, and finds them in order.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** In one step: half of an identity would pass for another machine's. False on a full disk. */
function tryReplace(path: string, text: string): boolean {
  try {
    writeFileSync(`${path}.tmp`, text, { flush: true });
    renameSync(`${path}.tmp`, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return false;
  }
}

/** Names the page cache a write goes to: `boot device namespace mount`. */
function pageCacheIdentity(path: string): string {
  const bootId =
    process.env.LOGRAFT_BOOT_ID ?? readOptional('/proc/sys/kernel/random/boot_id')?.trim();
  const namespace = readlinkOptional('/proc/self/ns/mnt');
  return `${bootId ?? 'unknown-boot'} ${statSync(path).dev} ${namespace} ${mountId(path)}`;
}

/**
 * Mount ids are only comparable inside one mount namespace: a broker that is restarted in another
 * one (a container, `ip netns exec`) still writes through the same cache when boot and device
 * agree.
 */
function isSamePageCache(before: string, now: string): boolean {
  const [boot, device, namespace, mount] = before.split(' ');
  const [bootNow, deviceNow, namespaceNow, mountNow] = now.split(' ');
  if (boot !== bootNow || device !== deviceNow) return false;
  return namespace !== namespaceNow || mount === mountNow;
}

/**
 * Id of the mount that holds `path`: the kernel's unique one, else the one in the fdinfo of its
 * open directory, which a disk that was unmounted and mounted again may have, too.
 */
function mountId(path: string): string {
  const unique = uniqueMountId(path);
  if (unique !== null) return unique;
  const fd = openSync(path, 'r');
  try {
    return /mnt_id:\s*(\d+)/.exec(readOptional(`/proc/self/fdinfo/${fd}`) ?? '')?.[1] ?? 'unknown';
  } finally {
    closeSync(fd);
  }
}

function readlinkOptional(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // No /proc here: boot id and device decide alone.
    return 'unknown';
  }
}

function readOptional(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
