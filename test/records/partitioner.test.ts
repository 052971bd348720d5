/** Which partition a record goes to is what Kafka's clients decide. */
import { murmur2, partitionOfKey, StickyPartitioner } from '#src/records/partitioner.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test("murmur2 is Java's", () => {
  const vectors: Record<string, number> = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
    abc: 479470107,
  };
  for (const [key, hash] of Object.entries(vectors))
    assert.is(murmur2(Buffer.from(key)), hash, key);
  assert.is(partitionOfKey(Buffer.from('foobar'), 6), (-790332482 & 0x7fffffff) % 6);
});

test('records without a key fill one partition, then the next', () => {
  const sticky = new StickyPartitioner(3, 100, 5);
  const partitions = [60, 30, 30, 60, 30, 200, 1].map((bytes) => sticky.next(bytes));
  assert.equal(partitions, [2, 2, 0, 0, 1, 2, 0]);
});

test.run();
