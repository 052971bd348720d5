/**
 * Those who wait for a watermark: producers for their ack, long polls for data. Kept in offset
 * order, because producers arrive in offset order; a waiter ends exactly once, by the watermark, by
 * its deadline or by the partition's word. Shard thread.
 */
import type { MonotonicMs, Offset } from '../base/units.js';

export type WaiterEnd = 'reached' | 'timed-out' | 'failed';

type Waiter = {
  /** Ends when the watermark is at or beyond this offset. */
  readonly target: Offset;
  readonly deadlineMs: MonotonicMs;
  readonly end: (how: WaiterEnd) => void;
  isEnded: boolean;
};

export class Waiters {
  /** Ascending by target; `#head` is the first that may still wait. */
  #queue: Waiter[] = [];
  #head = 0;

  get size(): number {
    return this.#queue.length - this.#head;
  }

  /** Returns a function that cancels without calling `end`. */
  add(target: Offset, deadlineMs: MonotonicMs, end: (how: WaiterEnd) => void): () => void {
    const waiter: Waiter = { target, deadlineMs, end, isEnded: false };
    const queue = this.#queue;
    let at = queue.length;
    // Nearly always appended: only long polls at older offsets walk back.
    while (at > this.#head && (queue[at - 1] as Waiter).target > target) at--;
    if (at === queue.length) queue.push(waiter);
    else queue.splice(at, 0, waiter);
    return () => {
      waiter.isEnded = true;
    };
  }

  /** Ends every waiter whose target is at or below the watermark. */
  advance(watermark: Offset): void {
    const queue = this.#queue;
    while (this.#head < queue.length) {
      const waiter = queue[this.#head] as Waiter;
      if (waiter.target > watermark) break;
      this.#head++;
      end(waiter, 'reached');
      // Its answer may have made the partition fail, which ended everybody else.
      if (this.#queue !== queue) return;
    }
    this.#compact();
  }

  /** Ends those whose time is over. Called by the shard's tick. */
  expire(nowMs: MonotonicMs): void {
    const queue = this.#queue;
    let hasEnded = false;
    for (let i = this.#head; i < queue.length; i++) {
      const waiter = queue[i] as Waiter;
      if (waiter.deadlineMs <= nowMs) end(waiter, 'timed-out');
      if (this.#queue !== queue) return;
      hasEnded ||= waiter.isEnded;
    }
    if (hasEnded) {
      this.#queue = queue.slice(this.#head).filter((waiter) => !waiter.isEnded);
      this.#head = 0;
    }
  }

  /** Ends everybody: leadership went or the log was cut. */
  fail(): void {
    const waiting = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    for (const waiter of waiting) end(waiter, 'failed');
  }

  #compact(): void {
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

function end(waiter: Waiter, how: WaiterEnd): void {
  if (waiter.isEnded) return;
  waiter.isEnded = true;
  waiter.end(how);
}
