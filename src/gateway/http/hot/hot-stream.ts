/**
 * A stream of a partition that this shard leads: file ranges handed to the socket layer, which
 * sends them by sendfile, so that no byte passes through this process. So much is queued ahead as
 * keeps the socket busy; a range takes no memory but a descriptor. Shard thread.
 *
 *     start ──▶ head ──▶ ranges … ◀──drained── ──▶ end of the extent ──▶ over
 *                          ▲                            └─ following: waits for news ─┐
 *                          └─────────────────────────────────────────────────────────┘
 */
import { HTTP_STREAM_AHEAD_BYTES } from '../../../base/limits.js';
import type { GroupKey } from '../../../base/group.js';
import type { MonotonicMs, Offset } from '../../../base/units.js';
import type { HandlerContext } from '../../../handlers/context.js';
import { onNews } from '../../../handlers/http/leader-reads.js';
import { outOfRange, partitionProblem } from '../../../handlers/http/problem.js';
import type { Extent } from '../../../handlers/http/stream.js';
import { HTTP_KINDS, type ShardCounters } from '../../../observability/shard-counters.js';
import type { RequestHead } from '../request-head.js';
import { type ByteRange, byteRange, rangeProblem, streamHeaders } from '../stream-range.js';
import type { HotConnection } from './hot-connection.js';
import { problemBytes } from './hot-produce.js';
import type { HotStreamRequest } from './hot-request.js';

export type HotStreamOptions = {
  readonly context: HandlerContext;
  readonly counters: ShardCounters;
  readonly connection: HotConnection;
  readonly group: GroupKey;
  readonly head: RequestHead;
  readonly request: HotStreamRequest;
  /** The stream is over; its last bytes follow at once. */
  readonly onEnd: () => void;
};

const STREAM = HTTP_KINDS.indexOf('stream');
/** Bytes of one range; several fit what is queued ahead. */
const RANGE_BYTES_MAX = 4 << 20;

export class HotStream {
  readonly #options: HotStreamOptions;
  readonly #slot: number;
  readonly #startMs: MonotonicMs;
  /** What is to be sent of the extent's bytes. */
  #range: ByteRange = { start: 0, end: Infinity };
  /** Where the next batch lies: its offset, and its place in the extent's bytes. */
  #offset: Offset = 0;
  #at = 0;
  #endOffset: Offset = 0;
  #isOver = false;
  #hasBegun = false;
  #cancelWait: (() => void) | null = null;

  constructor(options: HotStreamOptions) {
    this.#options = options;
    this.#startMs = options.connection.activeMs;
    this.#slot = options.connection.answers.reserve();
  }

  start(): void {
    const { offset } = this.#options.request;
    if (typeof offset === 'number') return this.#begin(offset);
    const partition = this.#partition();
    partition.offsetFor({ kind: offset }, -1, (answer) => {
      if (answer.error !== null)
        this.#conclude(problemBytes(partitionProblem(answer.error, null), false));
      else this.#begin(answer.offset);
    });
  }

  /** The client has gone, or the stream cannot go on. */
  end(): void {
    this.#isOver = true;
    this.#cancelWait?.();
    this.#cancelWait = null;
  }

  /** Queues what there is room for. */
  pump(): void {
    if (!this.#hasBegun || this.#isOver || this.#cancelWait !== null) return;
    const { connection } = this.#options;
    const { sockets, id } = connection;
    while (!this.#isOver && sockets.outboundBytes(id) < HTTP_STREAM_AHEAD_BYTES) {
      if (this.#at >= this.#range.end) return this.#conclude(EMPTY);
      if (!this.#sendNext()) return;
    }
  }

  #partition() {
    return this.#options.context.partition(this.#options.group);
  }

  #begin(offset: Offset): void {
    const { request, head, connection } = this.#options;
    this.#partition().extent({ offset, endOffset: request.end }, (extent) => {
      if (this.#isOver) return;
      if (extent.error === 'OFFSET_OUT_OF_RANGE') {
        return this.#conclude(problemBytes(outOfRange(extent, offset), false));
      }
      if (extent.error !== null) {
        return this.#conclude(problemBytes(partitionProblem(extent.error, null), false));
      }
      const { isFollowing } = request;
      const range = isFollowing ? null : byteRange(head.range, extent.bytes);
      if (range === 'unsatisfiable') {
        return this.#conclude(problemBytes(rangeProblem(extent.bytes), false));
      }
      connection.sockets.write(connection.id, this.#headBytes(extent, range));
      this.#offset = extent.firstOffset;
      this.#endOffset = isFollowing ? Infinity : extent.nextOffset;
      this.#range = range ?? { start: 0, end: isFollowing ? Infinity : extent.bytes };
      this.#hasBegun = true;
      this.pump();
    });
  }

  #headBytes(extent: Extent, range: ByteRange | null): Buffer {
    const { isFollowing } = this.#options.request;
    const headers = Object.entries(streamHeaders(extent, range, isFollowing));
    const status = range === null ? '200 OK' : '206 Partial Content';
    // Without a length the end of the connection is the end of the body.
    const last = isFollowing ? 'connection: close\r\n' : '';
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    return Buffer.from(`HTTP/1.1 ${status}\r\n${lines}${last}\r\n`, 'latin1');
  }

  /** False when there is nothing to send now. */
  #sendNext(): boolean {
    const { connection } = this.#options;
    let isSent = false;
    const request = {
      offset: this.#offset,
      maxBytes: RANGE_BYTES_MAX,
      isFirst: true,
      currentLeaderEpoch: -1,
    };
    this.#partition().fetch(request, ({ error, data, highWatermark }) => {
      if (error !== null || this.#isOver) return this.#cutOff();
      if (data === null || data.kind !== 'range') return this.#await(highWatermark);
      const { fd, filePosition, length, nextOffset, bytes } = data.range;
      const from = Math.max(this.#range.start - this.#at, 0);
      const to = Math.min(this.#range.end - this.#at, length);
      if (from < to) {
        const { sockets, id } = connection;
        if (bytes !== null) sockets.write(id, bytes.subarray(from, to));
        else sockets.writeRange(id, fd, filePosition + from, to - from);
        const { context, group } = this.#options;
        context.sent(group.topicId, to - from, nextOffset - this.#offset);
      }
      this.#at += length;
      this.#offset = nextOffset;
      isSent = true;
    });
    return isSent;
  }

  #await(highWatermark: Offset): void {
    if (this.#offset >= this.#endOffset) return this.#conclude(EMPTY);
    const offset = Math.max(highWatermark, this.#offset);
    const { clock } = this.#options.context;
    const wait = { partition: this.#partition(), clock, offset, deadlineMs: Infinity };
    this.#cancelWait = onNews(wait, () => {
      this.#cancelWait = null;
      this.pump();
    });
  }

  /** Leadership, the disk or retention took the rest: the client sees that bytes are missing. */
  #cutOff(): void {
    this.end();
    this.#options.connection.sockets.close(this.#options.connection.id);
  }

  /** The last bytes of this answer, or all of it. */
  #conclude(bytes: Buffer): void {
    const { context, counters, connection, head, onEnd } = this.#options;
    counters.observe('httpRequests', STREAM, context.clock.monotonicMs() - this.#startMs);
    const isLast = !head.isKeepAlive;
    this.end();
    onEnd();
    connection.answers.fill(this.#slot, { content: bytes, isLast });
  }
}

const EMPTY = Buffer.alloc(0);
