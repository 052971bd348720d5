/** What one turn gathers: batches, their order, and what each caller hears. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GroupKey } from '#src/base/group.js';
import { HTTP_TURN_BATCH_BYTES_MAX } from '#src/base/limits.js';
import { TurnBatches } from '#src/handlers/http/turn-batches.js';
import { crc32c } from '#src/native/crc32c.js';
import { BatchSealer, sealBatch } from '#src/native/record-cutter.js';
import {
  type Acks,
  absentPartition,
  type PartitionAccess,
  type PartitionError,
  type ProduceOutcome,
  produceFailure,
} from '#src/partition/access.js';
import { encodeBatch, type RecordInput, readBatchHeader } from '#src/records/batch.js';
import { blockOf } from '#src/records/record-blocks.js';
import { iterateRecords } from '#src/records/records.js';

const ZERO: GroupKey = { topicId: 'AAAAAAAAAAAAAAAAAAAAAA' as GroupKey['topicId'], partition: 0 };
const ONE: GroupKey = { ...ZERO, partition: 1 };
const WISH = { acks: -1 as Acks, timeoutMs: 1_000 };

type Written = { partition: number; acks: Acks; bytes: Uint8Array; timeoutMs: number };

/** Batches as they were written; answers as a partition that began at 100. */
class Plane {
  readonly written: Written[] = [];
  readonly elsewhere: Written[] = [];
  readonly #sealer = new BatchSealer();
  readonly heard: [string, PartitionError | null, number][] = [];
  /** At once, as a partition of this shard does. */
  answer: (tell: () => void) => void = (tell) => tell();
  refusal: (bytes: Uint8Array) => PartitionError | null = () => null;
  readonly #next = new Map<number, number>();
  readonly batches = new TurnBatches({
    checksum: crc32c,
    seal: (blocks, records) => this.#sealer.seal(blocks, records),
    partition: (group) => this.#partition(group),
    elsewhere: ({ partition }, bytes, { acks, timeoutMs }, done) => {
      this.elsewhere.push({ partition, acks, bytes: copyOf(bytes), timeoutMs });
      done(this.#append(partition, bytes));
    },
  });

  one(name: string, group: GroupKey = ZERO, acks: Acks = -1): void {
    const record = recordOf(name);
    this.batches.add(group, record, { ...WISH, acks, bytes: name.length }, this.hear(name));
  }

  many(name: string, count: number, group: GroupKey = ZERO): void {
    const blocks = Buffer.concat(recordsOf(name, count).map(blockOf));
    this.batches.addBlocks(group, { blocks, records: count }, WISH, this.hear(name));
  }

  hear(name: string) {
    return (error: PartitionError | null, _message: string | null, offset: number): void => {
      this.heard.push([name, error, offset]);
    };
  }

  #partition({ partition }: GroupKey): PartitionAccess {
    return {
      ...absentPartition,
      produce: (bytes, start, length, { acks, timeoutMs }, done) => {
        const batch = copyOf(bytes.subarray(start, start + length));
        const error = this.refusal(batch);
        if (error !== null) return this.answer(() => done(produceFailure(error, null)));
        this.written.push({ partition, acks, bytes: batch, timeoutMs });
        done(this.#append(partition, batch));
      },
    };
  }

  #append(partition: number, bytes: Uint8Array): ProduceOutcome {
    const baseOffset = this.#next.get(partition) ?? 100;
    this.#next.set(partition, baseOffset + readBatchHeader(bytes, 0).recordCount);
    return { error: null, baseOffset, logAppendTimeMs: -1, logStartOffset: 0, message: null };
  }
}

/** Bytes are good for the call only. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

function recordOf(name: string): RecordInput {
  return { key: null, value: Buffer.from(name), timestamp: name.length };
}

function recordsOf(name: string, count: number): RecordInput[] {
  return Array.from({ length: count }, (_, i) => recordOf(`${name}-${i}`));
}

function valuesOf({ bytes }: Written): string[] {
  return [...iterateRecords(bytes, 0)].map(({ value }) => Buffer.from(value ?? []).toString());
}

test('what comes in one turn for one partition is one batch, in order', () => {
  const plane = new Plane();
  plane.one('a');
  plane.many('b', 3);
  plane.one('other', ONE);
  plane.one('c');
  plane.one('told', ZERO, 1);
  assert.is(plane.written.length, 0);
  plane.batches.flush();
  assert.equal(
    plane.written.map(({ partition, acks }) => [partition, acks]),
    [
      [0, -1],
      [1, -1],
      [0, 1],
    ],
  );
  assert.equal(valuesOf(plane.written[0] as Written), ['a', 'b-0', 'b-1', 'b-2', 'c']);
  assert.equal(plane.heard, [
    ['a', null, 100],
    ['b', null, 101],
    ['c', null, 104],
    ['other', null, 100],
    ['told', null, 105],
  ]);
  plane.batches.flush();
  assert.is(plane.written.length, 3);
});

test('a batch that is too large is tried again part by part', () => {
  const plane = new Plane();
  plane.refusal = (bytes) => {
    return readBatchHeader(bytes, 0).recordCount > 2 ? 'MESSAGE_TOO_LARGE' : null;
  };
  plane.one('a');
  plane.many('b', 2);
  plane.many('c', 3);
  plane.one('d');
  plane.batches.flush();
  assert.equal(plane.heard, [
    ['a', null, 100],
    ['b', null, 101],
    ['c', 'MESSAGE_TOO_LARGE', -1],
    ['d', null, 103],
  ]);
});

test('what is not led here goes elsewhere, as it is', () => {
  const plane = new Plane();
  plane.refusal = () => 'NOT_LEADER';
  plane.many('a', 4);
  plane.batches.flush();
  assert.equal(plane.written, []);
  assert.equal(valuesOf(plane.elsewhere[0] as Written), ['a-0', 'a-1', 'a-2', 'a-3']);
  assert.equal(plane.heard, [['a', null, 100]]);
});

test('so it does when another shard says so later, and other batches were made meanwhile', () => {
  const plane = new Plane();
  const late: (() => void)[] = [];
  plane.answer = (tell) => late.push(tell);
  plane.refusal = () => 'NOT_LEADER';
  plane.many('a', 3);
  plane.many('b', 3, ONE);
  plane.batches.flush();
  for (const tell of late) tell();
  assert.equal(plane.elsewhere.map(valuesOf), [
    ['a-0', 'a-1', 'a-2'],
    ['b-0', 'b-1', 'b-2'],
  ]);
});

test('a batch is sent before it grows over its bound', () => {
  const plane = new Plane();
  const half = 'x'.repeat(HTTP_TURN_BATCH_BYTES_MAX / 2);
  plane.many(half, 1);
  plane.one('small');
  plane.one(half);
  assert.is(plane.written.length, 1);
  plane.many('b', 2);
  plane.batches.flush();
  assert.equal(
    plane.written.map((batch) => valuesOf(batch).map((value) => value.slice(0, 5))),
    [
      ['xxxxx', 'small'],
      ['xxxxx', 'b-0', 'b-1'],
    ],
  );
});

test('blocks become the batch that their records would have become', () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 200 }));
  const record: fc.Arbitrary<RecordInput> = fc.record({
    key: bytes,
    value: bytes,
    timestamp: fc.integer({ min: -1, max: 2 ** 44 }),
    headers: fc.array(fc.record({ key: fc.string(), value: bytes }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 80 }), fc.nat(80), (list, at) => {
      const blocks = [list.slice(0, at), list.slice(at)].map((part) =>
        Buffer.concat(part.map(blockOf)),
      );
      const sealed = Buffer.from(sealBatch(blocks, list.length));
      assert.is(sealed.toString('hex'), encodeBatch({ records: list }, crc32c).toString('hex'));
    }),
  );
});

test('what is no block is refused', () => {
  const block = blockOf(recordOf('a'));
  assert.throws(() => sealBatch([block], 2), RangeError);
  assert.throws(() => sealBatch([block, block], 1), RangeError);
  assert.throws(() => sealBatch([block.subarray(0, -1)], 1), RangeError);
  assert.throws(() => sealBatch([], 0), RangeError);
});

test.run();
