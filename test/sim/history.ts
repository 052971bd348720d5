/**
 * What the clients of one group were told, judged against what is committed: acknowledgements,
 * "latest", fetches. Each answer is judged when it leaves the broker, at the end of the turn that
 * made it, which is stricter than when it arrives.
 */
import { crc32c } from '#src/native/crc32c.js';
import { isSound, readBatchHeader } from '#src/records/batch.js';
import type { SentBatch } from './batches.js';
import type { Checker, Committed } from './checker.js';
import { Violation, type World } from './world.js';

/** What was known when a question reached its broker. */
export type Asked = { readonly acked: number; readonly latest: number; readonly epoch: number };

/** What a client has seen of a group; it never goes back. */
export type Seen = { highWatermark: number; logStartOffset: number };

export class History {
  acked = 0;
  readonly #checker: Checker;
  readonly #world: World;
  /** Behind the last acknowledged record, and the leader epoch of that acknowledgement. */
  #ackedEnd = 0;
  #ackedEpoch = -1;
  /** The highest "latest" that was answered. */
  #latest = 0;
  /** producer → the newest batch acknowledged to it: K4. */
  readonly #newest = new Map<number, { readonly sequence: number; readonly offset: number }>();

  constructor(checker: Checker, world: World) {
    this.#checker = checker;
    this.#world = world;
  }

  /** Before a question is worked on. */
  ask(): Asked {
    return { acked: this.#ackedEnd, latest: this.#latest, epoch: this.#ackedEpoch };
  }

  /** A producer is told that its batch is safe, at this offset. */
  onAck(batch: SentBatch, offset: number, leaderEpoch: number): void {
    const { name } = this.#checker;
    const { producerId, producerEpoch, baseSequence } = batch;
    const what = `${name}: producer ${producerId}/${producerEpoch}, sequence ${baseSequence}`;
    const committed = this.#checker.batchOf(offset);
    if (committed === undefined) {
      throw new Violation('P2', `${what} is told ${offset}, which is not committed`);
    }
    if (committed.sent !== batch || committed.baseOffset !== offset) {
      throw new Violation('P3', `${what} is told ${offset}, where something else lies`);
    }
    this.#checkOrder(batch, offset, what);
    this.acked++;
    if (committed.nextOffset > this.#ackedEnd) this.#ackedEnd = committed.nextOffset;
    this.#ackedEpoch = Math.max(this.#ackedEpoch, leaderEpoch);
    this.#world.mix(offset);
  }

  #checkOrder(
    { producerId, producerEpoch, baseSequence }: SentBatch,
    offset: number,
    what: string,
  ) {
    const sequence = producerEpoch * 2 ** 24 + baseSequence;
    const newest = this.#newest.get(producerId);
    if (newest !== undefined && newest.offset >= this.#checker.logStartOffset) {
      const isInOrder = Math.sign(sequence - newest.sequence) === Math.sign(offset - newest.offset);
      if (!isInOrder) throw new Violation('K4', `${what} at ${offset}, ${newest.offset} before`);
      if (sequence <= newest.sequence) return;
    }
    this.#newest.set(producerId, { sequence, offset });
  }

  /** ListOffsets(latest): a quorum confirmed the leader after the question came. */
  onLatest(nodeId: number, asked: Asked, answer: number): void {
    const what = `${this.#checker.name}: node ${nodeId} answers latest ${answer}`;
    if (answer < asked.acked) throw new Violation('K7', `${what}, acknowledged ${asked.acked}`);
    if (answer < asked.latest) throw new Violation('K6', `${what}, answered ${asked.latest}`);
    this.#mustBeCommitted(answer, what);
    this.#latest = Math.max(this.#latest, answer);
    this.#world.mix(answer);
  }

  /** The watermarks of a fetch by a client that knew `epoch` as the newest leader epoch. */
  onWatermarks(
    asked: Asked,
    epoch: number,
    seen: Seen,
    highWatermark: number,
    start: number,
  ): void {
    const what = `${this.#checker.name}: a fetch says ${start}..${highWatermark}`;
    this.#mustBeCommitted(highWatermark, what);
    if (epoch >= asked.epoch && highWatermark < asked.acked) {
      throw new Violation('K7', `${what}, acknowledged ${asked.acked}`);
    }
    if (highWatermark < seen.highWatermark) {
      throw new Violation('K6', `${what}, the watermark was ${seen.highWatermark}`);
    }
    if (start < seen.logStartOffset) {
      throw new Violation('K6', `${what}, the start was ${seen.logStartOffset}`);
    }
    if (start > this.#checker.logStartOffset) {
      throw new Violation('K6', `${what}, nobody decided that start`);
    }
    seen.highWatermark = highWatermark;
    seen.logStartOffset = start;
  }

  /** ListOffsets(timestamp): the first record at or after it, between these bounds. */
  onTimestamp(nodeId: number, time: number, start: number, end: number, answer: number): void {
    const { batches, name } = this.#checker;
    const found = batches.find((batch) => batch.nextOffset > start && batch.sent.timestamp >= time);
    const isThere = found !== undefined && found.baseOffset < end;
    const isRight = isThere
      ? answer >= found.baseOffset && answer < found.nextOffset
      : answer === -1;
    if (isRight) return;
    const expected = isThere ? found.baseOffset : -1;
    throw new Violation('K5', `${name}: node ${nodeId} finds ${answer}, expected ${expected}`);
  }

  #mustBeCommitted(offset: number, what: string): void {
    const end = this.#checker.committedEnd.offset;
    if (offset > end) throw new Violation('K8', `${what}, committed is ${end}`);
  }

  /** Only what lies below the log's start is out of range: a reader never asks beyond the end. */
  onOutOfRange(nodeId: number, offset: number): void {
    if (offset < this.#checker.logStartOffset) return;
    throw new Violation(
      'K11',
      `${this.#checker.name}: node ${nodeId} calls ${offset} out of range`,
    );
  }

  /**
   * Batches that a broker sent for a fetch from `offset`; returns where the next fetch begins. With
   * `isDamaged` the broker's disk has bits that flipped and that nobody has looked at since: a
   * reader may meet a wrong checksum there.
   */
  onRead(nodeId: number, offset: number, bytes: Buffer, isDamaged: boolean): number {
    let next = offset;
    for (let at = 0; at < bytes.length; ) {
      const header = readBatchHeader(bytes, at);
      const committed = this.#checker.batchOf(next);
      const fault = this.#faultOf(bytes, at, committed);
      if (fault !== null) {
        if (!isDamaged) {
          throw new Violation(fault, `${this.#checker.name}: node ${nodeId} serves ${next} wrong`);
        }
        this.#world.branch('read-damaged');
        return next;
      }
      next = (committed as Committed).nextOffset;
      at += header.sizeBytes;
    }
    this.#world.mix(next);
    return next;
  }

  #faultOf(bytes: Buffer, at: number, committed: Committed | undefined): string | null {
    const header = readBatchHeader(bytes, at);
    if (committed === undefined) return 'K2';
    if (header.baseOffset !== committed.baseOffset) return 'K5';
    if (header.leaderEpoch !== committed.epoch) return 'K9';
    const isWhole = at + header.sizeBytes <= bytes.length;
    if (!isWhole || !isSound(bytes, at, header.sizeBytes, crc32c)) return 'K10';
    return header.crc === committed.crc ? null : 'K3';
  }
}
