/**
 * Keeps disk blocks reserved behind the end of the metadata log, so that topics can be changed and
 * nodes can register while the disk is full. Promise: as long as there was room once, the next
 * RESERVE_BYTES of metadata need none. Main thread.
 */
import { isShortage } from '../base/shortage.js';
import type { Disk } from '../log/disk.js';
import { segmentOffsets, segmentPath } from '../log/names.js';
import { allocate } from '../native/files.js';

const RESERVE_BYTES = 1 << 20;
/** Ticks between two looks at the file. */
const LOOK_TICKS = 20;

export class MetadataReserve {
  readonly #disk: Disk;
  readonly #directory: string;
  #path = '';
  #sizeBytes = 0;
  #reservedTo = 0;
  #ticks = 0;

  /** `directory`: the folder of the metadata log, which is open. */
  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
    this.#tryLook();
  }

  tick(): void {
    this.#ticks = (this.#ticks + 1) % LOOK_TICKS;
    if (this.#ticks === 0) this.#tryLook();
  }

  #tryLook(): void {
    try {
      this.#look();
    } catch (error) {
      // Too late: the disk is full, or no descriptor is free. The next look tries again.
      if (!isShortage(error)) throw error;
    }
  }

  #look(): void {
    const baseOffset = segmentOffsets(this.#disk.list(this.#directory)).at(-1);
    if (baseOffset === undefined) return;
    const path = segmentPath(this.#directory, baseOffset, 'log');
    const sizeBytes = this.#disk.fileSize(path);
    // Cutting a file gives back what was reserved behind its end.
    const isOther = path !== this.#path || sizeBytes < this.#sizeBytes;
    const isLow = this.#reservedTo - sizeBytes < RESERVE_BYTES / 2;
    this.#path = path;
    this.#sizeBytes = sizeBytes;
    if (!isOther && !isLow) return;
    this.#reservedTo = 0;
    this.#reserve(path, sizeBytes);
    this.#reservedTo = sizeBytes + RESERVE_BYTES;
  }

  #reserve(path: string, from: number): void {
    const file = this.#disk.openFile(path, 'existing');
    try {
      allocate(file.fd, from, RESERVE_BYTES, true);
    } finally {
      this.#disk.close(file);
    }
  }
}
