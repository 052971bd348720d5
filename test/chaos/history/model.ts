/**
 * A correct log, group and clients in a few lines, driven by steps: what it notes must always be
 * clean. Promise: everything follows from the steps, so that a failing run shrinks. It knows two
 * replicas' worth of trouble: leaders change, a deposed one goes on to answer in its old epoch,
 * answers get lost, retries find their original. Pure.
 */
import { tagValue } from '../tag.js';
import type { HistoryEvent } from './events.js';

/** What happens next; `a` and `b` choose among whatever there is to choose from. */
export type Step = { readonly verb: Verb; readonly a: number; readonly b: number };

export const VERBS = [
  'write',
  'write-unknown',
  'write-refused',
  'elect',
  'latest',
  'fetch',
  'fetch-stale',
  'follow',
  'again',
  'rebalance',
  'heartbeat',
  'commit',
  'commit-unknown',
  'position',
] as const;
export type Verb = (typeof VERBS)[number];

type Batch = {
  readonly writer: number;
  readonly batch: number;
  readonly records: number;
  readonly baseOffset: number;
  readonly epoch: number;
  readonly baseSequence: number;
};

const PARTITION = 'modelled:0';
const GROUP = 'modelled';
const WRITERS = 3;

export class Model {
  readonly events: HistoryEvent[] = [];
  readonly #log: Batch[] = [];
  readonly #sequences = new Map<number, number>();
  #epoch = 1;
  #deposed: { epoch: number; end: number } | null = null;
  #batches = 0;
  #ops = 0;
  #followed = 0;
  #generation = 0;
  #position = { offset: -1, token: '' };
  #read = 0;

  run(steps: readonly Step[]): readonly HistoryEvent[] {
    this.#note({ kind: 'seek', reader: 'f', partition: PARTITION, offset: 0 });
    for (const step of steps) this.#step(step);
    this.#readAll();
    return this.events;
  }

  #step({ verb, a, b }: Step): void {
    if (verb === 'write') this.#write(a, b, 'acked');
    else if (verb === 'write-unknown') this.#write(a, b, 'unknown');
    else if (verb === 'write-refused') this.#write(a, b, 'refused');
    else if (verb === 'elect') this.#elect(a);
    else if (verb === 'latest') this.#ask('latest', -1, this.#epoch, this.#end);
    else if (verb === 'fetch') this.#ask('fetch', this.#epoch, -1, this.#end);
    else if (verb === 'fetch-stale') this.#fetchStale();
    else if (verb === 'follow') this.#follow(a);
    else if (verb === 'again') this.#again();
    else if (verb === 'rebalance') this.#rebalance(a);
    else if (verb === 'heartbeat') this.#heartbeat();
    else if (verb === 'position') this.#askPosition();
    else this.#commit(a, verb === 'commit', b);
  }

  get #end(): number {
    const last = this.#log.at(-1);
    return last === undefined ? 0 : last.baseOffset + last.records;
  }

  #note(event: HistoryEvent): void {
    this.events.push(event);
  }

  #nextOp(): number {
    this.#ops += 1;
    return this.#ops;
  }

  #write(a: number, b: number, outcome: 'acked' | 'unknown' | 'refused'): void {
    const key = { writer: a % WRITERS, batch: this.#batches };
    this.#batches += 1;
    const records = 1 + (b % 4);
    this.#note({ kind: 'sent', ...key, partition: PARTITION, records });
    const baseOffset = this.#end;
    // Without an answer it is there or not.
    if (outcome === 'acked' || (outcome === 'unknown' && b % 2 === 0)) {
      const baseSequence = this.#sequences.get(key.writer) ?? 0;
      this.#sequences.set(key.writer, baseSequence + records);
      this.#log.push({ ...key, records, baseOffset, epoch: this.#epoch, baseSequence });
    }
    if (outcome === 'acked') this.#note({ kind: 'acked', ...key, baseOffset, epoch: this.#epoch });
    else this.#note({ kind: outcome, ...key });
  }

  #elect(a: number): void {
    this.#deposed = { epoch: this.#epoch, end: this.#end };
    this.#epoch += 1 + (a % 2);
    const leader = { source: 'm', partition: PARTITION, epoch: this.#epoch, node: 1 + (a % 3) };
    this.#note({ kind: 'leader', ...leader });
  }

  #ask(question: 'latest' | 'fetch', epoch: number, answered: number, end: number): void {
    const op = this.#nextOp();
    this.#note({ kind: 'asked', op, partition: PARTITION, question, epoch, offset: 0 });
    const fields = { highWatermark: end, lastStableOffset: end, logStartOffset: 0 };
    this.#note({ kind: 'told', op, ...fields, epoch: answered });
  }

  /** A leader that does not know of its successor answers whoever does not know it either. */
  #fetchStale(): void {
    if (this.#deposed !== null) this.#ask('fetch', this.#deposed.epoch, -1, this.#deposed.end);
  }

  #follow(a: number): void {
    for (const batch of this.#log.slice(this.#followed, this.#followed + 1 + (a % 3))) {
      this.#give('f', batch, false);
      this.#followed += 1;
    }
  }

  #give(reader: string, batch: Batch, isFinal: boolean): void {
    const { writer, records, baseOffset, epoch, baseSequence } = batch;
    const nextOffset = baseOffset + records;
    const partition = PARTITION;
    this.#note({ kind: 'given', reader, partition, from: baseOffset, to: nextOffset });
    this.#note({
      kind: 'batch',
      partition,
      baseOffset,
      nextOffset,
      leaderEpoch: epoch,
      isSound: true,
      digest: `${writer} ${batch.batch}`,
      highWatermark: this.#end,
      producer: { producerId: writer, producerEpoch: 0, baseSequence },
      isFinal,
    });
    for (let index = 0; index < records; index++) {
      const value = tagValue({ writer, batch: batch.batch, index });
      this.#note({ kind: 'record', partition, offset: baseOffset + index, value, isFinal });
    }
  }

  #again(): void {
    const acked = this.events.filter((event) => event.kind === 'acked').at(-1);
    if (acked === undefined) return;
    const { writer, batch, baseOffset } = acked;
    this.#note({ kind: 'answered-again', writer, batch, baseOffset });
  }

  #rebalance(a: number): void {
    this.#generation += 1;
    const generation = this.#generation;
    const member = `member ${a % 3}`;
    const op = this.#nextOp();
    this.#note({ kind: 'group-asked', op, group: GROUP });
    this.#note({ kind: 'joined', op, generation, leader: member });
    const next = this.#nextOp();
    this.#note({ kind: 'group-asked', op: next, group: GROUP });
    const partitions = [PARTITION];
    this.#note({ kind: 'assigned', op: next, generation, member, partitions, atMs: 0 });
  }

  #heartbeat(): void {
    const op = this.#nextOp();
    this.#note({ kind: 'group-asked', op, group: GROUP });
    this.#note({ kind: 'confirmed', op, generation: this.#generation, member: 'member 0' });
  }

  #commit(a: number, isAcked: boolean, b: number): void {
    const to = Math.min(this.#end, this.#read + (a % 4));
    const where = { group: GROUP, partition: PARTITION };
    this.#note({ kind: 'group-read', ...where, from: this.#read, to });
    this.#read = to;
    const op = this.#nextOp();
    const token = `t${op}`;
    const { generation } = { generation: this.#generation };
    this.#note({ kind: 'commit', op, ...where, offset: to, token, generation });
    if (isAcked || b % 2 === 0) this.#position = { offset: to, token };
    this.#note({ kind: isAcked ? 'committed' : 'commit-unknown', op });
  }

  #askPosition(): void {
    const op = this.#nextOp();
    this.#note({ kind: 'position-asked', op, group: GROUP, partition: PARTITION });
    this.#note({ kind: 'position', op, ...this.#position });
  }

  #readAll(): void {
    this.#note({ kind: 'seek', reader: 'j', partition: PARTITION, offset: 0 });
    for (const batch of this.#log) this.#give('j', batch, true);
    this.#note({ kind: 'end', reader: 'j', partition: PARTITION, offset: this.#end });
  }
}
