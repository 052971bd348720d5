/**
 * Who leads, from whoever says it: one leader per partition and epoch (R1), and one source never
 * tells an older epoch after a newer one (K6). Pure.
 */
import type { LeaderEvent } from './events.js';
import type { Report } from './violation.js';

export class Leaders {
  readonly #report: Report;
  readonly #leaders = new Map<string, number>();
  readonly #told = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  leader({ source, partition, epoch, node }: LeaderEvent): void {
    if (epoch < 0) return;
    this.#checkSource(source, partition, epoch);
    if (node < 0) return;
    const name = `${partition} epoch ${epoch}`;
    const known = this.#leaders.get(name);
    if (known === undefined) this.#leaders.set(name, node);
    else if (known !== node) this.#report('R1', `${name}: led by ${known} and by ${node}`);
  }

  #checkSource(source: string | null, partition: string, epoch: number): void {
    if (source === null) return;
    const name = `${source} ${partition}`;
    const before = this.#told.get(name) ?? -1;
    if (epoch < before) this.#report('K6', `${name}: leader epoch ${epoch}, was ${before}`);
    this.#told.set(name, Math.max(epoch, before));
  }
}
