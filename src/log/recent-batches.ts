/**
 * Where the newest batches of the active segment begin: consumers and followers at the tail find
 * their place without reading the file. A ring of fixed size, made on the first append.
 */
import type { FilePosition, Offset } from '../base/units.js';
import type { Boundary } from './segment-home.js';

const ENTRIES = 64;

export class RecentBatches {
  #offsets: Float64Array | null = null;
  #positions = new Float64Array(0);
  /** Batches seen since the ring was cleared; the newest is number `#count - 1`. */
  #count = 0;

  push(baseOffset: Offset, filePosition: FilePosition): void {
    if (this.#offsets === null) {
      this.#offsets = new Float64Array(ENTRIES);
      this.#positions = new Float64Array(ENTRIES);
    }
    this.#offsets[this.#count % ENTRIES] = baseOffset;
    this.#positions[this.#count % ENTRIES] = filePosition;
    this.#count += 1;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Boundary in front of the batch that holds `offset` (below the log's end), if still known. */
  find(offset: Offset): Boundary | null {
    return this.#offsets === null ? null : this.#lastNotAbove(this.#offsets, offset);
  }

  /** The last known boundary at or before `filePosition`. */
  findBefore(filePosition: FilePosition): Boundary | null {
    return this.#lastNotAbove(this.#positions, filePosition);
  }

  #lastNotAbove(column: Float64Array, limit: number): Boundary | null {
    let low = Math.max(0, this.#count - ENTRIES);
    if (this.#count === 0 || (column[low % ENTRIES] as number) > limit) return null;
    let high = this.#count;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((column[middle % ENTRIES] as number) > limit) high = middle;
      else low = middle;
    }
    const at = low % ENTRIES;
    return {
      offset: this.#offsets?.[at] as number,
      filePosition: this.#positions[at] as number,
    };
  }
}
