/**
 * The end of a run: every voter's replica is read from its files, through its indexes and as what
 * its producers are, and compared with what is committed.
 */
import { comparePositions } from '#src/base/position.js';
import type { Prng } from '#src/base/prng.js';
import type { PartitionLog } from '#src/log/partition-log.js';
import type { Partition } from '#src/partition/partition.js';
import type { Checker, Committed } from './checker.js';
import { readLog } from './log-watch.js';
import type { SimGroup, SimNode } from './sim-node.js';
import { Violation } from './world.js';

const LOOKS = 24;
/** A producer's window. */
const BATCHES_KEPT = 5;

export function readBack(group: SimGroup, nodes: readonly SimNode[], random: Prng): void {
  for (const node of nodes) {
    const partition = node.partition(group.index);
    if (partition === null) throw new Violation('L3', `node ${node.nodeId} is down`);
    new FinalRead(group.checker, node, partition).run(random);
  }
}

class FinalRead {
  readonly #checker: Checker;
  readonly #node: SimNode;
  readonly #log: PartitionLog;
  readonly #partition: Partition;

  constructor(checker: Checker, node: SimNode, partition: Partition) {
    this.#checker = checker;
    this.#node = node;
    this.#partition = partition;
    this.#log = partition.log;
  }

  run(random: Prng): void {
    this.#readAll();
    for (let i = 0; i < LOOKS; i++) this.#lookUp(random);
    this.#checkProducers();
  }

  /** Nothing committed is missing, nothing else is there. */
  #readAll(): void {
    const log = this.#log;
    const checker = this.#checker;
    const end = checker.committedEnd;
    if (comparePositions(log.logEnd, end) < 0) {
      throw this.#violation('K1', `ends at ${JSON.stringify(log.logEnd)}`);
    }
    let expected = log.logStart.offset;
    for (const { batch, end: behind } of readLog(this.#node.disk, log)) {
      if (batch === null) continue;
      const committed = checker.batchOf(batch.baseOffset);
      const isSame = committed?.baseOffset === batch.baseOffset && committed.crc === batch.crc;
      if (!isSame) throw this.#violation('K3', `holds something else at ${batch.baseOffset}`);
      if (batch.baseOffset !== expected) throw this.#violation('K1', `misses ${expected}`);
      expected = behind.offset;
    }
    if (expected < end.offset) throw this.#violation('K1', `misses ${expected}`);
  }

  /** The indexes lead to the batch that holds an offset. */
  #lookUp(random: Prng): void {
    const { logStartOffset, logEnd } = this.#log;
    if (logStartOffset >= logEnd.offset) return;
    const offset = random.int(logStartOffset, logEnd.offset);
    const range = this.#log.locate(offset, 1, logEnd.offset);
    const committed = this.#checker.batchOf(offset) as Committed;
    if (range?.baseOffset !== committed.baseOffset) {
      throw this.#violation('K5', `finds ${range?.baseOffset ?? 'nothing'} for ${offset}`);
    }
    const { fd, filePosition, length } = range;
    const bytes = Buffer.from(range.bytes ?? this.#node.disk.readFd(fd, filePosition, length));
    if (bytes.readUInt32BE(17) !== committed.crc) {
      throw this.#violation('K3', `reads something else at ${offset}`);
    }
  }

  /** P2: who produced what, as far as the log still has it. */
  #checkProducers(): void {
    const { logStart } = this.#log;
    const expected = new Map<number, Committed[]>();
    for (const committed of this.#checker.batches) {
      if (committed.baseOffset < logStart.offset) continue;
      const { producerId, producerEpoch } = committed.sent;
      if (producerId < 0) continue;
      const before = expected.get(producerId) ?? [];
      const isSameEpoch = before[0]?.sent.producerEpoch === producerEpoch;
      expected.set(producerId, isSameEpoch ? [...before.slice(-4), committed] : [committed]);
    }
    const known = new Map(this.#partition.producers.entries());
    for (const [producerId, batches] of expected) {
      const entry = known.get(producerId);
      const newest = batches[0]?.sent.producerEpoch;
      const kept = entry?.batches.slice(-Math.min(BATCHES_KEPT, batches.length)) ?? [];
      const isSame =
        entry?.producerEpoch === newest &&
        kept.length === batches.length &&
        batches.every((batch, i) => kept[i]?.baseOffset === batch.baseOffset);
      if (!isSame) throw this.#violation('P2', `knows producer ${producerId} otherwise`);
    }
  }

  #violation(invariant: string, what: string): Violation {
    return new Violation(invariant, `${this.#checker.name}: node ${this.#node.nodeId} ${what}`);
  }
}
