/**
 * Operations that began and have no answer yet, each with what its answer is judged by. Pure.
 */

export class OpenOperations<T> {
  readonly #open = new Map<number, T>();

  begin(op: number, asked: T): void {
    this.#open.set(op, asked);
  }

  /** It was answered or given up. An operation that did not begin is the noter's mistake. */
  end(op: number): T {
    const asked = this.#open.get(op);
    if (asked === undefined) throw new Error(`operation ${op} did not begin`);
    this.#open.delete(op);
    return asked;
  }
}
