/**
 * Answers that committed nothing, by request id, for as long as a retry of the request may still be
 * on its way. Promise: what was refused once is not done later because the same request came twice.
 * (An answer that committed something is remembered in the image.) Two generations, bounded in
 * count and bytes; in memory, for one term of one controller. Main thread.
 */
import { Packr } from 'msgpackr';
import type { Offset } from '../base/units.js';
import { OUTCOME_BYTES_MAX, REQUESTS_PENDING_MAX } from './limits.js';

export type ToldAnswer = { readonly endOffset: Offset; readonly value: unknown };

const packr = new Packr({ useRecords: false });

export class ToldAnswers {
  #current = new Map<string, ToldAnswer>();
  #currentBytes = 0;
  #previous: ReadonlyMap<string, ToldAnswer> = new Map();

  find(requestId: string): ToldAnswer | undefined {
    return this.#current.get(requestId) ?? this.#previous.get(requestId);
  }

  add(requestId: string, { endOffset, value }: ToldAnswer): void {
    const isFull = this.#current.size >= REQUESTS_PENDING_MAX;
    if (isFull || this.#currentBytes >= OUTCOME_BYTES_MAX) {
      this.#previous = this.#current;
      this.#current = new Map();
      this.#currentBytes = 0;
    }
    this.#current.set(requestId, { endOffset, value });
    this.#currentBytes += packr.pack(value).length;
  }
}
