/** Answers leave a connection in the order of its requests. */
import { ResponseQueue } from '#src/gateway/response-queue.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('answers leave in the order of the requests', () => {
  const sent: string[] = [];
  const queue = new ResponseQueue<string>((text) => sent.push(text));
  const [a, b, c] = [queue.reserve(), queue.reserve(), queue.reserve()];
  queue.fill(c, 'c');
  queue.fill(b, 'b');
  assert.equal(sent, []);
  assert.ok(queue.isNext(a));
  assert.not(queue.isNext(b));
  queue.fill(a, 'a');
  assert.equal(sent, ['a', 'b', 'c']);
  assert.is(queue.size, 0);
});

test('a request without an answer only gives up its place', () => {
  const sent: string[] = [];
  const queue = new ResponseQueue<string>((text) => sent.push(text));
  const [a, b] = [queue.reserve(), queue.reserve()];
  queue.fill(b, 'b');
  queue.fill(a, null);
  assert.equal(sent, ['b']);
});

test('places go on counting after answers have left', () => {
  const sent: string[] = [];
  const queue = new ResponseQueue<string>((text) => sent.push(text));
  for (let i = 0; i < 100; i++) {
    const first = queue.reserve();
    const second = queue.reserve();
    queue.fill(second, `${i}b`);
    queue.fill(first, `${i}a`);
  }
  assert.is(sent.length, 200);
  assert.equal(sent.slice(-2), ['99a', '99b']);
});

test.run();
