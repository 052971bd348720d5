/** One record by HTTP, from the bytes of its body to the bytes of its answer. Shard thread. */
import { STATUS_CODES } from 'node:http';
import type { GroupKey } from '../../../base/group.js';
import type { HandlerContext } from '../../../handlers/context.js';
import { placeRecord } from '../../../handlers/http/place-record.js';
import { partitionProblem, type Problem } from '../../../handlers/http/problem.js';
import type { TurnBatches } from '../../../handlers/http/turn-batches.js';
import { HTTP_KINDS, type ShardCounters } from '../../../observability/shard-counters.js';
import { PROBLEM_TYPE, problemText, RETRY_AFTER_S } from '../problem-json.js';
import type { RequestHead } from '../request-head.js';
import type { HotConnection } from './hot-connection.js';
import type { HotProduce } from './hot-request.js';

export type ProduceParts = {
  readonly context: HandlerContext;
  readonly batches: TurnBatches;
  readonly counters: ShardCounters;
  /** Whether this very shard owns the partition. */
  readonly isHere: (group: GroupKey) => boolean;
};

export const PRODUCE = HTTP_KINDS.indexOf('produce');
const OK_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n';
const CLOSE = 'connection: close\r\n';
const OK_HEAD_CLOSING = OK_HEAD + CLOSE;

/** `body` is good until the turn is over. */
export function answerProduce(
  parts: ProduceParts,
  connection: HotConnection,
  group: GroupKey,
  { isKeepAlive, contentType }: RequestHead,
  { key, acks, timeoutMs }: HotProduce,
  body: Buffer,
): void {
  const slot = connection.answers.reserve();
  const isLast = !isKeepAlive;
  const { clock } = parts.context;
  const startMs = connection.activeMs;
  const { partition } = group;
  const value = parts.isHere(group) ? body : Buffer.from(body);
  const record = { key, contentType, value, acks, timeoutMs };
  placeRecord(parts, group, record, (error, message, offset) => {
    parts.counters.observe('httpRequests', PRODUCE, clock.monotonicMs() - startMs);
    const content =
      error === null
        ? okText(`{"partition":${partition},"offset":${offset}}`, isLast)
        : problemBytes(partitionProblem(error, message, { partition }), isLast);
    connection.answers.fill(slot, { content, isLast });
  });
}

/** `json` is ASCII. */
export function okText(json: string, isLast: boolean): string {
  return `${isLast ? OK_HEAD_CLOSING : OK_HEAD}content-length: ${json.length}\r\n\r\n${json}`;
}

export function problemBytes(problem: Problem, isLast: boolean): Buffer {
  const { status, code, message, details } = problem;
  const text = problemText(status, code, message, details);
  // The framework names the charset.
  const type = `content-type: ${PROBLEM_TYPE}; charset=utf-8\r\n`;
  return Buffer.from(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${type}` +
      `${status === 503 ? `retry-after: ${RETRY_AFTER_S}\r\n` : ''}${isLast ? CLOSE : ''}` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
