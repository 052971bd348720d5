/**
 * What the kernel counts of the block device that holds a folder. Its promise: the number is bytes
 * that the device was given, not pages that a process made dirty: a file that is deleted before
 * the kernel writes it back adds nothing. The device belongs to the whole machine, so everybody's
 * writes are in it; the bench keeps the machine quiet.
 */
import { readFileSync, statSync } from 'node:fs';

const DISKSTATS = '/proc/diskstats';
/** Of /proc/diskstats, whatever the device's own sectors are. */
const SECTOR_BYTES = 512;
/** Columns of /proc/diskstats (Documentation/admin-guide/iostats.rst). */
const MAJOR = 0;
const MINOR = 1;
const SECTORS_WRITTEN = 9;

/** Bytes given to the device since the machine started; null when no single device is below. */
export function deviceBytesWritten(directory: string): number | null {
  const { dev } = statSync(directory, { bigint: true });
  return bytesWrittenIn(readFileSync(DISKSTATS, 'latin1'), majorOf(dev), minorOf(dev));
}

/** The row of one device; file systems in memory and layered ones (overlay, btrfs) have none. */
export function bytesWrittenIn(diskstats: string, major: number, minor: number): number | null {
  const rows = diskstats.split('\n').map((row) => row.trim().split(/\s+/));
  const row = rows.find((cells) => cells[MAJOR] === `${major}` && cells[MINOR] === `${minor}`);
  return row === undefined ? null : Number(row[SECTORS_WRITTEN]) * SECTOR_BYTES;
}

/** As glibc's makedev lays out the bits of st_dev. */
function majorOf(dev: bigint): number {
  return Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n));
}

function minorOf(dev: bigint): number {
  return Number((dev & 0xffn) | ((dev >> 12n) & 0xffffff00n));
}
