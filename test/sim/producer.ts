/**
 * An idempotent producer by Kafka's rules: batches are numbered when they are made, up to five are
 * in flight, what failed goes again in order and alone, and only a refusal that a correct broker
 * never gives ends it. It believes whoever says to lead, and is sometimes wrong.
 */
import type { Prng } from '#src/base/prng.js';
import { crc32c } from '#src/native/crc32c.js';
import type { ProduceOutcome } from '#src/partition/access.js';
import { encodeBatch } from '#src/records/batch.js';
import type { Batches, SentBatch } from './batches.js';
import type { Checker } from './checker.js';
import type { ClientKnobs } from './plan.js';
import { Violation, type World } from './world.js';

/** What a producer can reach; null: the connection is gone, nobody knows what happened. */
export type Broker = {
  readonly nodeId: number;
  produce(
    group: number,
    batch: SentBatch,
    timeoutMs: number,
    answer: (outcome: ProduceOutcome | null) => void,
  ): void;
};

export type ProducerOptions = {
  readonly group: number;
  readonly producerId: number;
  readonly knobs: ClientKnobs;
  readonly world: World;
  readonly random: Prng;
  readonly checker: Checker;
  readonly sent: Batches;
  /** The node that seems to lead. */
  readonly find: () => Broker;
};

type Pending = {
  readonly batch: SentBatch;
  readonly ordinal: number;
  /** Times it was sent; an answer to an earlier time is of no interest. */
  attempts: number;
  isInFlight: boolean;
  /** Everything before it was resolved when it was sent. */
  wasFirst: boolean;
  sentAtMs: number;
};

const QUEUE_MAX = 64;
const BASE_TIME = 1_700_000_000_000;

export class SimProducer {
  acked = 0;
  readonly #o: ProducerOptions;
  #epoch = 0;
  #nextSequence = 0;
  #nextOrdinal = 0;
  /** Not resolved, by sequence; the first ones are in flight or wait for another try. */
  #pending: Pending[] = [];
  /** After a failure nothing leaves before this. */
  #backoffUntilMs = 0;
  #failures = 0;
  #isPatient = true;
  #isPumpDue = false;
  #isWatched = false;
  readonly #arrivals: number[] = [];
  /** The broker knows this producer: from then on a gap would be noticed. */
  #isKnown = false;

  constructor(options: ProducerOptions) {
    this.#o = options;
  }

  submit(records: number, valueBytes: number): void {
    const { world, group, producerId, sent } = this.#o;
    if (this.#pending.length >= QUEUE_MAX) {
      world.branch('producer-queue-full');
      return;
    }
    const baseSequence = this.#nextSequence;
    this.#nextSequence += records;
    const value = Buffer.alloc(valueBytes, `${baseSequence}.`);
    const timestamp = BASE_TIME + Math.floor(world.nowMs);
    const bytes = encodeBatch(
      {
        records: Array.from({ length: records }, () => ({ value, timestamp })),
        producerId,
        producerEpoch: this.#epoch,
        baseSequence,
      },
      crc32c,
    );
    const crc = bytes.readUInt32BE(17);
    const producerEpoch = this.#epoch;
    const batch = {
      group,
      producerId,
      producerEpoch,
      baseSequence,
      records,
      timestamp,
      crc,
      bytes,
    };
    sent.add(batch);
    const ordinal = this.#nextOrdinal++;
    this.#pending.push({
      batch,
      ordinal,
      attempts: 0,
      isInFlight: false,
      wasFirst: false,
      sentAtMs: 0,
    });
    this.#pump();
  }

  /** From now on it is measured how soon it gets on: pauses do not grow any more. */
  hurry(): void {
    this.#isPatient = false;
  }

  /** Gives up what it has not heard of; the next batch has a new producer epoch. */
  bump(): void {
    if (this.#epoch > 100) return;
    if (this.#pending.length > 0) this.#o.world.branch('producer-gave-up');
    this.#o.world.branch('producer-epoch-raised');
    this.#pending = [];
    this.#epoch++;
    this.#nextSequence = 0;
    this.#isKnown = false;
  }

  /** What failed waits at the head of the queue until everything before it is resolved. */
  #pump(): void {
    const { world, knobs } = this.#o;
    if (world.nowMs < this.#backoffUntilMs) return this.#pumpAt(this.#backoffUntilMs);
    const window = this.#isKnown ? knobs.inFlightMax : 1;
    const first = this.#pending[0]?.ordinal ?? 0;
    for (let i = 0; i < this.#pending.length; i++) {
      const pending = this.#pending[i] as Pending;
      // On one connection answers come in order: nothing goes out far ahead of what is unresolved.
      if (pending.ordinal - first >= window) return;
      if (pending.isInFlight) continue;
      if (pending.attempts > 0 && i > 0) return;
      if (i > 0) world.branch('several-in-flight');
      this.#send(pending);
    }
  }

  #pumpAt(atMs: number): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    this.#o.world.at(atMs, () => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #send(pending: Pending): void {
    const { world, group, find, knobs } = this.#o;
    const broker = find();
    const attempt = ++pending.attempts;
    if (attempt > 1) world.branch('produce-again');
    pending.isInFlight = true;
    pending.wasFirst = pending === this.#pending[0];
    world.trace(() => `${nameOf(pending.batch)} attempt ${attempt} to ${broker.nodeId}`);
    pending.sentAtMs = world.nowMs;
    const atMs = Math.max(world.nowMs + this.#delay(), this.#arrivals[broker.nodeId] ?? 0);
    this.#arrivals[broker.nodeId] = atMs;
    world.at(atMs, () => {
      broker.produce(group, pending.batch, knobs.timeoutMs, (outcome) => {
        this.#answerLater(pending, attempt, outcome);
      });
    });
    this.#watch();
  }

  #answerLater(pending: Pending, attempt: number, outcome: ProduceOutcome | null): void {
    const { world, random, knobs } = this.#o;
    const isLost = knobs.answerLoss > 0 && random.chance(knobs.answerLoss);
    if (isLost) world.count('lost-answer');
    world.after(this.#delay(), () => this.#onAnswer(pending, attempt, isLost ? null : outcome));
  }

  /** A connection without an answer is given up. */
  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const { world, knobs } = this.#o;
    world.after(knobs.requestMs, () => {
      this.#isWatched = false;
      for (const pending of [...this.#pending]) {
        if (!pending.isInFlight) continue;
        if (world.nowMs - pending.sentAtMs < knobs.requestMs) continue;
        world.branch('produce-gave-up-connection');
        this.#onAnswer(pending, pending.attempts, null);
      }
      if (this.#pending.some(({ isInFlight }) => isInFlight)) this.#watch();
    });
  }

  #onAnswer(pending: Pending, attempt: number, outcome: ProduceOutcome | null): void {
    const { world } = this.#o;
    if (!pending.isInFlight || attempt !== pending.attempts) return;
    const index = this.#pending.indexOf(pending);
    if (index < 0) return;
    pending.isInFlight = false;
    const { batch } = pending;
    world.trace(
      () => `${nameOf(batch)} hears ${outcome?.error ?? outcome?.baseOffset ?? 'nothing'}`,
    );
    if (outcome !== null && outcome.error === null) {
      world.branch('produce-acked');
      this.acked++;
      this.#isKnown = true;
      this.#failures = 0;
      this.#pending.splice(index, 1);
      return this.#pump();
    }
    world.branch(`produce-${outcome?.error ?? 'disconnected'}`);
    if (outcome !== null) this.#judgeRefusal(pending, outcome);
    const { retryMs, retryMsMax } = this.#o.knobs;
    const pauseMs = this.#isPatient
      ? Math.min(retryMsMax, retryMs * 2 ** this.#failures++)
      : retryMs;
    this.#backoffUntilMs = world.nowMs + pauseMs;
    this.#pump();
  }

  #judgeRefusal({ batch, wasFirst }: Pending, { error, message }: ProduceOutcome): void {
    const { checker, world } = this.#o;
    switch (error) {
      case 'INVALID_PRODUCER_EPOCH':
        throw new Violation('P4', `the newest epoch is refused: ${message}`);
      case 'OUT_OF_ORDER_SEQUENCE_NUMBER':
        // What was sent before it may still be under way, or was forgotten with trimmed batches.
        if (!wasFirst) return;
        if (this.#isKnown && checker.mustKnow(batch)) {
          throw new Violation('P2', `everything before was acknowledged: ${message}`);
        }
        world.branch('producer-forgotten');
        return this.bump();
      case 'CORRUPT_MESSAGE':
      case 'INVALID_RECORD':
      case 'INVALID_TIMESTAMP':
      case 'MESSAGE_TOO_LARGE':
      case 'UNSUPPORTED_FOR_MESSAGE_FORMAT':
        throw new Violation('K2', `a sound batch is refused: ${error} ${message}`);
      default:
    }
  }

  #delay(): number {
    const { random, knobs } = this.#o;
    return 0.05 + random.float() * knobs.delayMsMax;
  }
}

function nameOf({ producerId, producerEpoch, baseSequence }: SentBatch): string {
  return `producer ${producerId}/${producerEpoch} sequence ${baseSequence}`;
}
