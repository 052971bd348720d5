/**
 * Readers by assignment: each walks on without a gap and is given nothing again (K5). A first batch
 * may begin before the offset asked for, as in Kafka. Pure.
 */
import type { EventOf } from './events.js';
import type { Report } from './violation.js';

export class Readers {
  readonly #report: Report;
  readonly #offsets = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  seek({ reader, partition, offset }: EventOf<'seek'>): void {
    this.#offsets.set(`${reader} ${partition}`, offset);
  }

  given({ reader, partition, from, to }: EventOf<'given'>): void {
    const name = `${reader} ${partition}`;
    const offset = this.#offsets.get(name) ?? -1;
    if (from > offset) this.#report('K5', `${name}: at ${offset}, given ${from}`);
    if (to <= offset) this.#report('K5', `${name}: at ${offset}, given ${from} to ${to} again`);
    this.#offsets.set(name, to);
  }

  end({ reader, partition, offset }: EventOf<'end'>): void {
    const name = `${reader} ${partition}`;
    const at = this.#offsets.get(name) ?? -1;
    if (at !== offset) this.#report('K5', `${name}: ended at ${at}, should have at ${offset}`);
  }
}
