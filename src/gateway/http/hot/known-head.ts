/**
 * The head of a connection's last request, for clients repeat themselves: the same bytes mean the
 * same request, so what was understood of them need not be worked out again. Shard thread.
 */
import type { RequestHead } from '../request-head.js';
import type { HotRequest } from './hot-request.js';

/** A longer head is read anew each time. */
const KNOWN_BYTES_MAX = 512;

export type UnderstoodHead = { readonly head: RequestHead; readonly request: HotRequest };

export class KnownHead {
  #bytes: Buffer | null = null;
  #understood: UnderstoodHead | null = null;

  /** What the bytes at `start` mean, if they begin with the very head that was noted. */
  find(bytes: Buffer, start: number, end: number): UnderstoodHead | null {
    const known = this.#bytes;
    if (known === null || end - start < known.length) return null;
    const isSame = bytes.compare(known, 0, known.length, start, start + known.length) === 0;
    return isSame ? this.#understood : null;
  }

  /** `start` is where the head begins; the bytes are copied. */
  note(bytes: Buffer, start: number, understood: UnderstoodHead): void {
    const { headBytes } = understood.head;
    if (headBytes > KNOWN_BYTES_MAX) return;
    this.#bytes = Buffer.from(bytes.subarray(start, start + headBytes));
    this.#understood = understood;
  }
}
