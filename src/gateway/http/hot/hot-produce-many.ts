/**
 * Many records by HTTP, from the bytes of a body to the bytes of its answer: native code cuts it,
 * each partition's share joins the batch of this turn, and those that another node leads go there.
 * Shard thread.
 */
import type { Offset } from '../../../base/units.js';
import { PRODUCE_MS_DEFAULT, topicToWrite } from '../../../handlers/http/place-record.js';
import { partitionProblem, Problem } from '../../../handlers/http/problem.js';
import { type CutBody, releaseBlocks } from '../../../native/record-cutter.js';
import { cutBody } from '../cut-bodies.js';
import { formatOf } from '../record-bodies.js';
import type { RequestHead } from '../request-head.js';
import type { HotConnection } from './hot-connection.js';
import { okText, PRODUCE, problemBytes, type ProduceParts } from './hot-produce.js';
import type { HotProduceMany } from './hot-request.js';

/** Where the shares of a request begin; null as long as it is not known, or when it failed. */
type Placing = {
  readonly cut: CutBody;
  readonly offsets: (Offset | null)[];
  problem: Problem | null;
  open: number;
};

/**
 * `body` is good for the call only. False: nothing was done, because the framework is to read it,
 * and perhaps to say what is wrong with it.
 */
export function answerMany(
  parts: ProduceParts,
  connection: HotConnection,
  { isKeepAlive, contentType }: RequestHead,
  { topic: name, partition, acks, timeoutMs }: HotProduceMany,
  body: Buffer,
): boolean {
  const { context, batches, counters } = parts;
  const topic = topicToWrite(context, name);
  const format = formatOf(contentType ?? '', body);
  if (topic === null || format === null) return false;
  const { topicId, partitions, anyPartition } = topic;
  const nowMs = context.clock.wallMs();
  const cut = cutBody(body, { format, partition, partitions, anyPartition, nowMs });
  if (cut === null) return false;
  const slot = connection.answers.reserve();
  const startMs = connection.activeMs;
  const { shares } = cut;
  const offsets = shares.map(() => null);
  const placing: Placing = { cut, offsets, problem: null, open: shares.length };
  const wish = { acks, timeoutMs: timeoutMs ?? PRODUCE_MS_DEFAULT };
  shares.forEach((share, i) => {
    batches.addBlocks(
      { topicId, partition: share.partition },
      share,
      wish,
      (error, text, offset) => {
        if (error === null) placing.offsets[i] = offset;
        else placing.problem ??= partitionProblem(error, text, { partition: share.partition });
        placing.open -= 1;
        if (placing.open > 0) return;
        releaseBlocks(cut);
        counters.observe('httpRequests', PRODUCE, context.clock.monotonicMs() - startMs);
        const content = answerOf(placing, !isKeepAlive);
        connection.answers.fill(slot, { content, isLast: !isKeepAlive });
      },
    );
  });
  return true;
}

function answerOf(placing: Placing, isLast: boolean): Buffer | string {
  const { problem } = placing;
  const records = placesText(placing);
  if (problem === null) return okText(`{"records":${records}}`, isLast);
  const { status, code, message, details } = problem;
  // Which of them are written is worth knowing: `null` stands for those that are not.
  const told = { ...details, records: JSON.parse(records) as unknown };
  return problemBytes(new Problem(status, code, message, told), isLast);
}

/** The place of each record, in the order of the body. */
function placesText({ cut: { records, shares, shareOf }, offsets }: Placing): string {
  const next = [...offsets];
  const heads = shares.map(({ partition }) => `{"partition":${partition},"offset":`);
  let text = '';
  for (let i = 0; i < records; i++) {
    const share = shareOf?.[i] ?? 0;
    const offset = next[share] ?? null;
    const comma = i === 0 ? '' : ',';
    if (offset === null) {
      text += `${comma}null`;
      continue;
    }
    text += `${comma}${heads[share]}${offset}}`;
    if (offset >= 0) next[share] = offset + 1;
  }
  return `[${text}]`;
}
