/** Shared counters: what one thread writes another reads, and no topic takes more than its slot. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GC_KIND_BITS } from '#src/observability/loop-meter.js';
import { BUCKETS_MS, ShardCounters } from '#src/observability/shard-counters.js';
import { documentText } from './document/document-text.js';

test('a histogram counts each time in the first bucket that it fits', () => {
  const counters = new ShardCounters(0);
  for (const ms of [0, 0.25, 0.26, 10_000, 10_001]) counters.observe('kafkaRequests', 3, ms);
  const { buckets, count, sumMs } = counters.histogram('kafkaRequests', 3);
  const found = buckets.flatMap((n, i) => (n > 0 ? [[BUCKETS_MS[i] ?? 'over', n]] : []));
  assert.equal(found, [
    [0.25, 2],
    [0.5, 1],
    [10_000, 1],
    ['over', 1],
  ]);
  assert.equal([count, Math.round(sumMs)], [5, 20_002]);
  for (const neighbour of [2, 4]) {
    assert.is(counters.histogram('kafkaRequests', neighbour).count, 0);
  }
});

test('counters lie beside each other without touching', () => {
  const counters = new ShardCounters(2);
  counters.add('elections', 4, 7);
  counters.add('gcPauses', 0);
  counters.observe('httpRequests', 1, 1e9);
  counters.topic('a').in(1, 2);
  counters.topic('b').out(3, 4);
  assert.equal([counters.count('elections', 4), counters.count('gcPauses', 0)], [7, 1]);
  assert.equal(counters.traffic(0), { bytesIn: 0, recordsIn: 0, bytesOut: 0, recordsOut: 0 });
  assert.equal(counters.traffic(1), { bytesIn: 1, recordsIn: 2, bytesOut: 0, recordsOut: 0 });
  assert.equal(counters.traffic(2), { bytesIn: 0, recordsIn: 0, bytesOut: 3, recordsOut: 4 });
  assert.is(counters.histogram('kafkaRequests', 63).count, 0);
});

test('topics beyond the bound, and those that are gone, count together', () => {
  const counters = new ShardCounters(2);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => counters.topic(id));
  for (const topic of [a, b, c, d]) topic?.in(10, 1);
  assert.equal(counters.owners, [null, 'a', 'b']);
  assert.is(counters.traffic(0).recordsIn, 2);
  counters.retain((topicId) => topicId !== 'a');
  assert.equal(counters.owners, [null, null, 'b']);
  assert.equal(
    [0, 1, 2].map((slot) => counters.traffic(slot).recordsIn),
    [3, 0, 1],
  );
  const e = counters.topic('e');
  // Who still holds a topic that is gone does not write into its successor's slot.
  a?.in(10, 1);
  e.in(10, 1);
  assert.equal(counters.owners, [null, 'e', 'b']);
  assert.equal(
    [0, 1, 2].map((slot) => counters.traffic(slot).bytesIn),
    [40, 10, 10],
  );
  assert.is(counters.topic('e'), e);
});

test('a reader on another thread sees whole numbers that only grow', async () => {
  const counters = new ShardCounters(1);
  const module = new URL('../../observability/shard-counters.js', import.meta.url).href;
  const writer = new Worker(
    `import { workerData, parentPort } from 'node:worker_threads';
     const { ShardCounters } = await import(${JSON.stringify(module)});
     const counters = new ShardCounters(1, workerData);
     const topic = counters.topic('t');
     for (let i = 0; i < 3_000_000; i++) { topic.in(3, 1); counters.add('refusals', 1, 2); }`,
    { eval: true, workerData: counters.memory, execArgv: ['--input-type=module'] },
  );
  const ended = new Promise((resolve) => writer.once('exit', resolve));
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  let last = 0;
  let moves = 0;
  while (!isOver) {
    const { bytesIn } = counters.traffic(1);
    assert.ok(bytesIn >= last && bytesIn % 3 === 0, `${last} ${bytesIn}`);
    if (bytesIn > last) moves++;
    last = bytesIn;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal([counters.traffic(1).bytesIn, counters.count('refusals', 1)], [9e6, 6e6]);
  assert.ok(moves > 1, 'the reader ran beside the writer');
});

test('a node that nobody scrapes pays with little memory and no library', () => {
  assert.ok(new ShardCounters(1_000).memory.byteLength < 64 << 10);
  const seen = new Set<string>();
  const queue = ['broker/broker.js', 'broker/shard-thread.js'].map(
    (path) => new URL(`../../${path}`, import.meta.url).href,
  );
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(fileURLToPath(file), 'utf8');
    for (const [, name = ''] of text.matchAll(/^(?:import|export) .*?from '([^']+)'/gms)) {
      if (name.startsWith('.')) queue.push(new URL(name, file).href);
      else seen.add(name);
    }
  }
  assert.ok(seen.has('pino') && seen.size > 150, 'imports were followed');
  for (const lazy of ['prom-client', 'fastify']) assert.not.ok(seen.has(lazy), lazy);
  assert.not.ok([...seen].some((name) => name.endsWith('/scrape/scrape.js')));
});

test('the bits of garbage collections are those of this Node', () => {
  const names = Object.entries(constants).flatMap(([name, bit]) => {
    const kind = /^NODE_PERFORMANCE_GC_(MINOR|MAJOR|INCREMENTAL|WEAKCB)$/.exec(name)?.[1];
    return kind === undefined ? [] : [[bit, kind.toLowerCase()] as const];
  });
  assert.is(names.length, 4);
  for (const [bit, kind] of names) assert.is(GC_KIND_BITS.get(bit as number), kind);
});

test('docs/metrics.md is what the table says', () => {
  const file = new URL('../../../docs/metrics.md', import.meta.url);
  const hint = 'run `node dist/test/observability/document/main.js`';
  assert.is(readFileSync(file, 'utf8'), documentText(), hint);
});

test.run();
