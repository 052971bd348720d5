/**
 * Records of a partition that this shard leads, as JSON: from the log's bytes to the answer without
 * a record in TypeScript. A read at the end of the log waits for news as long as its client does.
 * Promise: only what is plain is answered here; for the rest (a codec, a leader that has gone, an
 * offset that is out of range) the request is given back, and the framework says what is wrong.
 * Shard thread.
 */
import { HTTP_HOT_READ_BYTES_MAX } from '../../../base/limits.js';
import type { GroupKey } from '../../../base/group.js';
import type { MonotonicMs, Offset } from '../../../base/units.js';
import type { HandlerContext } from '../../../handlers/context.js';
import { onNews } from '../../../handlers/http/leader-reads.js';
import type { BatchRange, FetchOutcome } from '../../../handlers/http/stream.js';
import { readAt } from '../../../native/files.js';
import { takeText, tellRecords, type Told } from '../../../native/record-teller.js';
import { HTTP_KINDS, type ShardCounters } from '../../../observability/shard-counters.js';
import { NDJSON_TYPE } from '../body.js';
import type { RequestHead } from '../request-head.js';
import type { HotConnection } from './hot-connection.js';
import type { HotReadRequest } from './hot-request.js';

export type HotReadOptions = {
  readonly context: HandlerContext;
  readonly counters: ShardCounters;
  readonly connection: HotConnection;
  readonly group: GroupKey;
  readonly head: RequestHead;
  readonly request: HotReadRequest;
  /** It is answered. */
  readonly onEnd: () => void;
  /** Somebody else is to answer it. Never before {@link HotRead.start} returns. */
  readonly onGivenBack: () => void;
};

/** What is there, and where the log stood when it was read. */
type Found = { readonly told: Told; readonly outcome: FetchOutcome };

const RECORDS = HTTP_KINDS.indexOf('records');
/** Enough for most readers; who asks for more records than lie here reads again. */
const FIRST_READ_BYTES = 64 << 10;
const NOTHING: Pick<Told, 'records' | 'bytes'> = { records: 0, bytes: 0 };
const JSON_CONTENT = 'application/json; charset=utf-8';
const NDJSON_CONTENT = `${NDJSON_TYPE}; charset=utf-8`;

/** What is read, and what is answered: one after the other, on a thread that does nothing else. */
let batches: Buffer = Buffer.allocUnsafeSlow(FIRST_READ_BYTES);
let answer: Buffer = Buffer.allocUnsafeSlow(FIRST_READ_BYTES);

export class HotRead {
  readonly #options: HotReadOptions;
  readonly #startMs: MonotonicMs;
  readonly #deadlineMs: MonotonicMs;
  #from: Offset = 0;
  #isOver = false;
  #cancelWait: (() => void) | null = null;

  constructor(options: HotReadOptions) {
    this.#options = options;
    this.#startMs = options.connection.activeMs;
    this.#deadlineMs = this.#startMs + options.request.waitMs;
  }

  /** False: somebody else is to answer it. */
  start(): boolean {
    const { offset } = this.#options.request;
    if (typeof offset === 'number') return this.#lookFrom(offset);
    let isStarted = false;
    let isTaken = true;
    // A leader may have to ask the others first.
    this.#partition().offsetFor({ kind: offset }, -1, (found) => {
      if (this.#isOver) return;
      isTaken = found.error === null && this.#lookFrom(found.offset);
      if (isStarted && !isTaken) this.#giveBack();
    });
    isStarted = true;
    return isTaken;
  }

  /** Nothing is sent but the answer. */
  pump(): void {}

  /** The client has gone, or it is answered. */
  end(): void {
    this.#isOver = true;
    this.#cancelWait?.();
    this.#cancelWait = null;
  }

  #partition() {
    return this.#options.context.partition(this.#options.group);
  }

  #lookFrom(offset: Offset): boolean {
    this.#from = offset;
    return this.#look();
  }

  #look(): boolean {
    const { clock } = this.#options.context;
    for (;;) {
      const found = this.#read();
      if (found === null) return false;
      const { told, outcome } = found;
      const { nextOffset } = told;
      if (told.records > 0 || clock.monotonicMs() >= this.#deadlineMs) {
        this.#conclude(found);
        return true;
      }
      // Batches that hold nothing for a reader are passed over, not read again.
      const isPassing = nextOffset > this.#from;
      this.#from = nextOffset;
      if (isPassing) continue;
      this.#await(Math.max(outcome.highWatermark, nextOffset));
      return true;
    }
  }

  /** Null: somebody else is to answer it. */
  #read(): Found | null {
    const first = this.#readBytes(FIRST_READ_BYTES);
    if (first === null || first.told.records === this.#options.request.max) return first;
    const range = rangeOf(first.outcome);
    const isAll = range === null || range.nextOffset >= first.outcome.highWatermark;
    return isAll ? first : this.#readBytes(HTTP_HOT_READ_BYTES_MAX);
  }

  /** Null: it takes more than native code to tell, or this is not the leader. */
  #readBytes(maxBytes: number): Found | null {
    const outcome = this.#fetch(maxBytes);
    if (outcome === null) return null;
    const range = rangeOf(outcome);
    const told = range === null ? { ...NOTHING, nextOffset: this.#from } : this.#tell(range);
    return told === null ? null : { told, outcome };
  }

  /** Null: this is not the leader, or has no such offset. */
  #fetch(maxBytes: number): FetchOutcome | null {
    let found: FetchOutcome | null = null;
    const request = { offset: this.#from, maxBytes, isFirst: true, currentLeaderEpoch: -1 };
    // On the owner's shard the answer comes within the call.
    this.#partition().fetch(request, (outcome) => {
      found = outcome.error === null ? outcome : null;
    });
    return found;
  }

  #tell({ length, bytes, fd, filePosition }: BatchRange): Told | null {
    const { max, isLines } = this.#options.request;
    const request = { from: this.#from, max, isLines };
    if (length > HTTP_HOT_READ_BYTES_MAX) return null;
    if (bytes !== null) return tellRecords(bytes, 0, length, request);
    if (batches.length < length) batches = Buffer.allocUnsafeSlow(HTTP_HOT_READ_BYTES_MAX);
    const read = readAt(fd, filePosition, batches, 0, length);
    return read < length ? null : tellRecords(batches, 0, length, request);
  }

  #await(offset: Offset): void {
    const { clock } = this.#options.context;
    const wait = { partition: this.#partition(), clock, offset, deadlineMs: this.#deadlineMs };
    this.#cancelWait = onNews(wait, () => {
      this.#cancelWait = null;
      if (!this.#look()) this.#giveBack();
    });
  }

  #giveBack(): void {
    this.end();
    this.#options.onGivenBack();
  }

  #conclude({ told, outcome }: Found): void {
    const { context, counters, connection, group, head, request, onEnd } = this.#options;
    counters.observe('httpRequests', RECORDS, context.clock.monotonicMs() - this.#startMs);
    const bytes = rangeOf(outcome)?.length ?? 0;
    if (told.records > 0) context.sent(group.topicId, bytes, told.records);
    const isLast = !head.isKeepAlive;
    const content = answerOf(told, outcome, request.isLines, isLast);
    this.end();
    onEnd();
    connection.answers.fill(connection.answers.reserve(), { content, isLast });
  }
}

function rangeOf({ data }: FetchOutcome): BatchRange | null {
  return data?.kind === 'range' ? data.range : null;
}

/** Good until the next one. */
function answerOf(told: Told, outcome: FetchOutcome, isLines: boolean, isLast: boolean): Buffer {
  const { highWatermark, logStartOffset } = outcome;
  const { nextOffset } = told;
  const places =
    `"nextOffset":${nextOffset},"highWatermark":${highWatermark},` +
    `"logStartOffset":${logStartOffset}}`;
  const before = isLines ? '' : '{"records":[';
  const after = isLines ? '' : `],${places}`;
  const bodyBytes = before.length + told.bytes + after.length;
  const headText =
    `HTTP/1.1 200 OK\r\nlograft-next-offset: ${nextOffset}\r\n` +
    `lograft-high-watermark: ${highWatermark}\r\nlograft-log-start-offset: ${logStartOffset}\r\n` +
    `content-type: ${isLines ? NDJSON_CONTENT : JSON_CONTENT}\r\n` +
    `${isLast ? 'connection: close\r\n' : ''}content-length: ${bodyBytes}\r\n\r\n${before}`;
  const size = headText.length + told.bytes + after.length;
  // Kept when it is of a usual size.
  const isUsual = size <= HTTP_HOT_READ_BYTES_MAX;
  const into = size <= answer.length ? answer : Buffer.allocUnsafeSlow(isUsual ? 2 * size : size);
  if (isUsual) answer = into;
  into.write(headText, 0, 'latin1');
  if (told.bytes > 0) takeText(told, into, headText.length);
  into.write(after, size - after.length, 'latin1');
  return into.subarray(0, size);
}
