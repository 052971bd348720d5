/**
 * Deadlines of members and groups on the coordinator's own time. Moving one later costs a field
 * write (heartbeats do it all the time); the heap is touched only when its entry comes up. Removed
 * deadlines leave their entry behind, and the heap is rebuilt when those outnumber the rest.
 *
 * Pure; time is what `expire` is told.
 */

/** Below this size a heap full of leftovers is not worth a rebuild. */
const HEAP_KEPT_MIN = 64;

export type Deadline = {
  /** When `fire` is due; Infinity while it is off. */
  at: number;
  /** Time of this deadline's newest entry in the heap (never later than `at`); Infinity: none. */
  queuedAt: number;
  readonly fire: () => void;
};

type Entry = { readonly at: number; readonly deadline: Deadline };

export class Deadlines {
  #heap: Entry[] = [];
  /** Heap entries that still speak for their deadline. */
  #live = 0;

  create(fire: () => void): Deadline {
    return { at: Number.POSITIVE_INFINITY, queuedAt: Number.POSITIVE_INFINITY, fire };
  }

  set(deadline: Deadline, at: number): void {
    deadline.at = at;
    if (at >= deadline.queuedAt) return;
    if (deadline.queuedAt === Number.POSITIVE_INFINITY) this.#live += 1;
    deadline.queuedAt = at;
    this.#push({ at, deadline });
    this.#shed();
  }

  cancel(deadline: Deadline): void {
    deadline.at = Number.POSITIVE_INFINITY;
    if (deadline.queuedAt === Number.POSITIVE_INFINITY) return;
    deadline.queuedAt = Number.POSITIVE_INFINITY;
    this.#live -= 1;
    this.#shed();
  }

  /** Fires what is due at `now`, earliest first. A deadline set by `fire` for now fires as well. */
  expire(now: number): void {
    for (let top = this.#heap[0]; top !== undefined && top.at <= now; top = this.#heap[0]) {
      this.#pop();
      const { deadline } = top;
      if (deadline.queuedAt !== top.at) continue;
      deadline.queuedAt = Number.POSITIVE_INFINITY;
      this.#live -= 1;
      if (deadline.at > now) {
        this.set(deadline, deadline.at);
        continue;
      }
      deadline.at = Number.POSITIVE_INFINITY;
      deadline.fire();
    }
  }

  clear(): void {
    this.#heap = [];
    this.#live = 0;
  }

  /** Entries in memory, leftovers included. */
  get size(): number {
    return this.#heap.length;
  }

  #shed(): void {
    if (this.#heap.length < HEAP_KEPT_MIN || this.#heap.length < 2 * this.#live) return;
    // A deadline that was cancelled and set again to the same time may have two entries.
    const kept = new Map<Deadline, Entry>();
    for (const entry of this.#heap) {
      if (entry.deadline.queuedAt === entry.at) kept.set(entry.deadline, entry);
    }
    this.#heap = [...kept.values()].sort((a, b) => a.at - b.at);
    this.#live = kept.size;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let child = heap.length;
    heap.push(entry);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent] as Entry;
      if (above.at <= entry.at) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.at < (heap[child] as Entry).at) child += 1;
      const below = heap[child] as Entry;
      if (below.at >= last.at) break;
      heap[hole] = below;
      hole = child;
    }
    heap[hole] = last;
  }
}
