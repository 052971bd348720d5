/**
 * One Fetch request against partitions that the test plays: when it looks, how often, what it
 * answers with, and what it leaves behind.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HandlerContext, RequestInfo } from '#src/handlers/context.js';
import { fetch } from '#src/handlers/fetch.js';
import type {
  FetchOutcome,
  FetchRequest as Asked,
  PartitionAccess,
} from '#src/partition/access.js';
import type { FetchRequest, FetchResponse } from '#src/protocol/messages/fetch.js';
import { sleep, waitFor } from '../support/wait-for.js';

const EMPTY: FetchOutcome = {
  ...{ error: null, highWatermark: 5, lastStableOffset: 5, logStartOffset: 0, data: null },
};

function rangeAt(fd: number, length = 10): FetchOutcome['data'] {
  const place = { fd, path: '', bytes: null, filePosition: 0, length };
  const range = { ...place, baseOffset: 0, nextOffset: 1 };
  return { kind: 'range', range };
}

type Answer = (asked: Asked, done: (outcome: FetchOutcome) => void) => void;

/** Partition p of topic `t` answers as `answers[p]` says. */
class Played {
  readonly asked: number[] = [];
  readonly waiting = new Set<() => void>();
  readonly responses: FetchResponse[] = [];
  readonly onGone = new Set<() => void>();
  readonly #answers: readonly Answer[];

  constructor(answers: readonly Answer[]) {
    this.#answers = answers;
  }

  fetch(shape: Partial<FetchRequest>): void {
    const topic = { topicId: 'abcdefghijklmnopqrstuv', partitions: this.#answers.map(() => ({})) };
    const context = {
      settings: { fetchBytesMax: 1_000 },
      image: () => ({ topics: new Map([['t', topic]]) }),
      partition: ({ partition }: { partition: number }) => this.#access(partition),
      sent: () => {},
    } as unknown as HandlerContext;
    const partitions = this.#answers.map((_, partition) => ({
      ...{ partition, fetchOffset: 0, partitionMaxBytes: 1_000 },
      ...{ currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1 },
    }));
    const request = { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000, sessionId: 0, ...shape };
    const info: RequestInfo = {
      ...{ apiVersion: 11, clientId: null, clientHost: '127.0.0.1', onGone: this.onGone },
    };
    const full = { ...request, topics: [{ topic: 't', partitions }] } as unknown as FetchRequest;
    fetch(context, full, info, (response) => this.responses.push(response as FetchResponse));
  }

  /** Descriptors or bytes that were answered with, by partition. */
  records(): unknown[] {
    const [response] = this.responses;
    return (response?.responses[0]?.partitions ?? []).map(({ records }) =>
      records !== null && 'external' in records
        ? (records.external as { fd: number }).fd
        : records?.length,
    );
  }

  #access(partition: number): PartitionAccess {
    return {
      fetch: (asked: Asked, done: (outcome: FetchOutcome) => void) => {
        this.asked.push(partition);
        (this.#answers[partition] as Answer)(asked, done);
      },
      onAdvance: (_offset: number, wake: () => void) => {
        // A poll waits with one function at all of its partitions.
        const own = (): void => wake();
        this.waiting.add(own);
        return () => this.waiting.delete(own);
      },
    } as unknown as PartitionAccess;
  }
}

test('a range that waited for another shard is asked for again before it is sent', async () => {
  let fd = 3;
  const local: Answer = (_asked, done) => done({ ...EMPTY, data: rangeAt(fd++) });
  const bytes = Buffer.alloc(20);
  const remote: Answer = (_asked, done) => {
    setImmediate(() => done({ ...EMPTY, data: { kind: 'bytes', bytes, nextOffset: 1 } }));
  };
  const played = new Played([local, remote, local]);
  played.fetch({});
  await waitFor('the answer', () => played.responses.length > 0, { everyMs: 1 });
  assert.equal(played.asked, [0, 1, 2, 0, 2]);
  assert.equal(played.records(), [5, 20, 6], 'the descriptors of the second look');
});

test('without another shard everything is asked once and answered within the call', () => {
  const played = new Played([(_asked, done) => done({ ...EMPTY, data: rangeAt(9) })]);
  played.fetch({ maxWaitMs: 10_000 });
  assert.equal(played.asked, [0]);
  assert.equal(played.records(), [9]);
  assert.is(played.onGone.size, 0);
});

test('the byte budget is passed on, and only the first data may exceed it', () => {
  const budgets: [number, boolean][] = [];
  const take =
    (length: number): Answer =>
    (asked, done) => {
      budgets.push([asked.maxBytes, asked.isFirst]);
      done({ ...EMPTY, data: length === 0 ? null : rangeAt(1, length) });
    };
  new Played([take(0), take(700), take(100), take(0)]).fetch({ maxBytes: 900 });
  assert.equal(budgets, [
    [900, true],
    [900, true],
    [200, false],
    [100, false],
  ]);
});

test('a poll that wants more than one record brings does not look at each of them', async () => {
  let length = 0;
  const played = new Played([(_asked, done) => done({ ...EMPTY, data: rangeAt(1, length) })]);
  played.fetch({ maxWaitMs: 60_000, minBytes: 500 });
  for (length = 1; length < 500; length++) {
    for (const wake of [...played.waiting]) wake();
    if (length % 50 === 0) await sleep(1);
  }
  await waitFor('the answer', () => {
    for (const wake of [...played.waiting]) wake();
    return played.responses.length > 0;
  });
  assert.ok(played.asked.length < 60, `${played.asked.length} looks for 500 wakes`);
  assert.is(played.waiting.size, 0);
});

test('when the client goes, nothing of its poll stays', async () => {
  const played = new Played([
    (_asked, done) => done(EMPTY),
    (_asked, done) => done({ ...EMPTY, error: 'OFFSET_NOT_AVAILABLE', highWatermark: -1 }),
  ]);
  played.fetch({ maxWaitMs: 60_000 });
  assert.equal([played.waiting.size, played.onGone.size], [2, 1]);
  const [wake] = played.waiting;
  for (const tell of [...played.onGone]) tell();
  assert.equal([played.waiting.size, played.onGone.size], [0, 0]);
  wake?.();
  await sleep(20);
  assert.equal(played.asked, [0, 1], 'nor is anything asked again');
  assert.equal(played.responses, []);
  // The timer of its sixty seconds would keep this process.
});

test('time is over while another shard is asked: its answer is the last', async () => {
  const released: (() => void)[] = [];
  const played = new Played([(_asked, done) => void released.push(() => done(EMPTY))]);
  played.fetch({ maxWaitMs: 5 });
  await sleep(30);
  assert.equal([played.responses.length, released.length], [0, 1]);
  released[0]?.();
  assert.is(played.responses.length, 1);
});

test.run();
