/** Which offsets were reached: ranges in order, merged where they touch. Pure. */

export class Coverage {
  /** Disjoint and ascending, with gaps between them. */
  #ranges: { from: number; to: number }[] = [];

  add(from: number, to: number): void {
    const last = this.#ranges.at(-1);
    if (last !== undefined && from >= last.from && from <= last.to) {
      last.to = Math.max(last.to, to);
      return;
    }
    const apart = this.#ranges.filter((range) => range.to < from || range.from > to);
    const touching = this.#ranges.filter((range) => !apart.includes(range));
    const merged = {
      from: Math.min(from, ...touching.map((range) => range.from)),
      to: Math.max(to, ...touching.map((range) => range.to)),
    };
    this.#ranges = [...apart, merged].sort((a, b) => a.from - b.from);
  }

  /** The first offset from 0 on that was not reached. */
  get firstGap(): number {
    const first = this.#ranges[0];
    return first === undefined || first.from > 0 ? 0 : first.to;
  }
}
