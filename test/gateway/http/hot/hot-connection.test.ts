/** When a client that takes nothing has taken nothing for too long. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HTTP_STREAM_STALL_MS_MAX } from '#src/base/limits.js';
import { HotConnection } from '#src/gateway/http/hot/hot-connection.js';
import type { SocketLayer } from '#src/native/sockets.js';

function connection(): { readonly one: HotConnection; readonly queue: { bytes: number } } {
  const queue = { bytes: 0 };
  const sockets: Partial<SocketLayer> = { outboundBytes: () => queue.bytes };
  return { one: new HotConnection(1, sockets as SocketLayer, 0), queue };
}

test('a client that takes a byte now and then is slow, not stalled', () => {
  const { one, queue } = connection();
  queue.bytes = 1_000;
  for (let nowMs = 0; nowMs < 10 * HTTP_STREAM_STALL_MS_MAX; nowMs += HTTP_STREAM_STALL_MS_MAX) {
    queue.bytes -= 1;
    assert.not(one.isStalled(nowMs, HTTP_STREAM_STALL_MS_MAX), `${nowMs} ms`);
  }
});

test('a client that takes nothing is stalled when its time is over, and not before', () => {
  const { one, queue } = connection();
  queue.bytes = 1_000;
  assert.not(one.isStalled(5, HTTP_STREAM_STALL_MS_MAX));
  assert.not(one.isStalled(5 + HTTP_STREAM_STALL_MS_MAX, HTTP_STREAM_STALL_MS_MAX));
  assert.ok(one.isStalled(6 + HTTP_STREAM_STALL_MS_MAX, HTTP_STREAM_STALL_MS_MAX));
});

test('a client that is owed nothing is never stalled', () => {
  const { one } = connection();
  assert.not(one.isStalled(0, HTTP_STREAM_STALL_MS_MAX));
  assert.not(one.isStalled(100 * HTTP_STREAM_STALL_MS_MAX, HTTP_STREAM_STALL_MS_MAX));
});

test.run();
