/**
 * Answers leave a connection in the order of its requests, though several are worked on at once.
 *
 *     requests   1 2 3 4        slots   [done][done][open][done]
 *     sent       1 2                    3 is awaited, 4 waits behind it
 */

/** What a finished request leaves for the socket; null when the protocol sends nothing. */
export type SlotResult<T> = T | null;

export class ResponseQueue<T> {
  readonly #send: (result: T) => void;
  /** `undefined` while the request is worked on. */
  readonly #slots: (SlotResult<T> | undefined)[] = [];
  /** Number of the first slot. */
  #first = 0;

  constructor(send: (result: T) => void) {
    this.#send = send;
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.#slots.length;
  }

  /** Takes the place of a request; `fill` it once. */
  reserve(): number {
    this.#slots.push(undefined);
    return this.#first + this.#slots.length - 1;
  }

  /** True when an answer filled into this slot now is sent at once. */
  isNext(slot: number): boolean {
    return slot === this.#first;
  }

  fill(slot: number, result: SlotResult<T>): void {
    this.#slots[slot - this.#first] = result;
    while (this.#slots.length > 0 && this.#slots[0] !== undefined) {
      const ready = this.#slots.shift() as SlotResult<T>;
      this.#first++;
      if (ready !== null) this.#send(ready);
    }
  }
}
