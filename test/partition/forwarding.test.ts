/** Calls to leaders on other nodes: one answer each, whatever becomes of the link. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Extent,
  fetchFailure,
  type FetchOutcome,
  type PartitionAccess,
  type ProduceOutcome,
} from '#src/partition/access.js';
import { type ForwardMessage, isForwardMessage } from '#src/partition/forward-messages.js';
import { Forwarding } from '#src/partition/forwarding.js';

const GROUP = { topicId: 'abcdefghijklmnopqrstuv', partition: 3 };
const OPTIONS = { acks: -1, timeoutMs: 1_000 } as const;
const BYTES = Buffer.from('0123456789');
const WRITTEN: ProduceOutcome = {
  error: null,
  baseOffset: 41,
  logAppendTimeMs: -1,
  logStartOffset: 0,
  message: null,
};

const EXTENT: Extent = {
  error: null,
  firstOffset: 0,
  nextOffset: 9,
  bytes: 700,
  highWatermark: 9,
  logStartOffset: 0,
  leaderEpoch: 2,
};

/** Two nodes with a link that a test can take down or make refuse. */
class Pair {
  nowMs = 0;
  isUp = true;
  readonly sent: ForwardMessage[] = [];
  /** What the leader was asked to write, and its way to answer. */
  readonly writes: { text: string; done: (outcome: ProduceOutcome) => void }[] = [];
  readonly wakes: (() => void)[] = [];
  cancelled = 0;
  readonly asker = this.#make(1, 2);
  readonly leader = this.#make(2, 1);
  readonly partition = this.asker.access(2, GROUP);

  produce(): ProduceOutcome[] {
    const outcomes: ProduceOutcome[] = [];
    this.partition.produce(BYTES, 2, 4, OPTIONS, (outcome) => outcomes.push(outcome));
    return outcomes;
  }

  #make(self: number, other: number): Forwarding {
    return new Forwarding({
      incarnation: `life-of-${self}`,
      clock: { monotonicMs: () => this.nowMs, wallMs: () => 0 },
      local: () => this.#local(),
      localGroup: (group, method, request, done) => done({ group, method, request }, 0),
      send: (to, message) => {
        assert.is(to, other);
        if (!this.isUp) return false;
        this.sent.push(message);
        // Over the wire, where nothing but plain values survives.
        const copy = structuredClone(message);
        assert.ok(isForwardMessage(copy), JSON.stringify(message));
        (self === 1 ? this.leader : this.asker).onMessage(self, copy);
        return true;
      },
    });
  }

  #local(): PartitionAccess {
    return {
      produce: (bytes, start, length, _options, done) => {
        const text = Buffer.from(bytes.subarray(start, start + length)).toString();
        this.writes.push({ text, done });
      },
      fetch: (request, done) => {
        const bytes = Buffer.alloc(request.maxBytes);
        const data = { kind: 'bytes', bytes, nextOffset: 9 } as const;
        done({ error: null, highWatermark: 9, lastStableOffset: 9, logStartOffset: 0, data });
      },
      extent: ({ offset }, done) => done({ ...EXTENT, firstOffset: offset }),
      onAdvance: (_offset, wake) => {
        this.wakes.push(wake);
        return () => {
          this.cancelled++;
        };
      },
      offsetFor: (_question, _epoch, done) =>
        done({ error: null, offset: 5, timestampMs: -1, leaderEpoch: 2 }),
      epochEnd: (leaderEpoch, _epoch, done) => done({ error: null, leaderEpoch, endOffset: 8 }),
    };
  }
}

test('a produce reaches the leader, and its answer the asker', () => {
  const pair = new Pair();
  const outcomes = pair.produce();
  assert.equal(outcomes, []);
  assert.is(pair.writes[0]?.text, '2345');
  pair.writes[0]?.done(WRITTEN);
  assert.equal(outcomes, [WRITTEN]);
});

test('what waits for its link is no view of the bytes that the caller uses again', () => {
  const pair = new Pair();
  pair.produce();
  const [message] = pair.sent;
  assert.ok(message?.kind === 'partition-call' && message.ask.kind === 'produce');
  assert.is.not(message.ask.bytes.buffer, BYTES.buffer);
});

test('what never left is refused, what left and got no answer is unknown', () => {
  const pair = new Pair();
  pair.isUp = false;
  assert.is(pair.produce()[0]?.error, 'NOT_LEADER');
  pair.isUp = true;
  const lost = pair.produce();
  pair.asker.onLinkDown(2);
  assert.is(lost[0]?.error, 'TIMED_OUT');
  const late = pair.produce();
  pair.nowMs = OPTIONS.timeoutMs + 999;
  pair.asker.tick();
  assert.equal(late, []);
  pair.nowMs += 1;
  pair.asker.tick();
  assert.is(late[0]?.error, 'TIMED_OUT');
  for (const write of pair.writes) write.done(WRITTEN);
  assert.is(lost.length + late.length, 2, 'each is answered once');
});

test('an answer that the link does not take is sent when it does', () => {
  const pair = new Pair();
  const outcomes = pair.produce();
  pair.isUp = false;
  pair.writes[0]?.done(WRITTEN);
  assert.equal(outcomes, []);
  pair.isUp = true;
  pair.leader.tick();
  assert.equal(outcomes, [WRITTEN]);
});

test('a fetch is bounded; a long poll wakes once and can be withdrawn', () => {
  const pair = new Pair();
  const fetched: FetchOutcome[] = [];
  const request = { offset: 0, maxBytes: 1 << 30, isFirst: true, currentLeaderEpoch: -1 };
  pair.partition.fetch(request, (outcome) => fetched.push(outcome));
  assert.is(fetched[0]?.data?.kind === 'bytes' && fetched[0].data.bytes.length, 1 << 20);
  pair.isUp = false;
  pair.partition.fetch(request, (outcome) => fetched.push(outcome));
  assert.equal(fetched[1], fetchFailure('NOT_LEADER'));
  pair.isUp = true;
  let wakes = 0;
  pair.partition.onAdvance(9, () => wakes++);
  const withdraw = pair.partition.onAdvance(9, () => wakes++);
  withdraw();
  assert.is(pair.cancelled, 1);
  for (const wake of pair.wakes) wake();
  assert.is(wakes, 1);
  pair.partition.onAdvance(9, () => wakes++);
  pair.leader.onLinkDown(1);
  assert.is(pair.cancelled, 2, 'who has gone waits no more');
  pair.asker.onLinkDown(2);
  assert.is(wakes, 2, 'and hears of it');
});

test('offsets and epochs are asked the same way', () => {
  const pair = new Pair();
  const answers: unknown[] = [];
  pair.partition.offsetFor({ kind: 'latest' }, -1, (answer) => answers.push(answer.offset));
  pair.partition.epochEnd(2, -1, (answer) => answers.push(answer.endOffset));
  pair.partition.extent({ offset: 3, endOffset: null }, (extent) => answers.push(extent));
  pair.isUp = false;
  pair.partition.extent({ offset: 3, endOffset: null }, ({ error }) => answers.push(error));
  pair.partition.offsetFor({ kind: 'latest' }, -1, (answer) => answers.push(answer.error));
  pair.partition.epochEnd(2, -1, (answer) => answers.push(answer.error));
  const refused = ['NOT_LEADER', 'NOT_LEADER', 'NOT_LEADER'];
  assert.equal(answers, [5, 8, { ...EXTENT, firstOffset: 3 }, ...refused]);
});

test('a coordinator is asked as the leader of its partition', () => {
  const pair = new Pair();
  const answers: unknown[] = [];
  const ask = { kind: 'group', method: 'heartbeat', request: { memberId: 'm' } } as const;
  const call = (): unknown =>
    pair.asker.call(2, GROUP, ask, { timeoutMs: 1_000 }, (answer) => answers.push(answer));
  call();
  pair.isUp = false;
  call();
  assert.equal(answers, [{ group: GROUP, method: ask.method, request: ask.request }, null]);
});

test('nonsense is no message, and an answer of another shape is none', () => {
  const call = { kind: 'partition-call', callId: 'a:1', group: GROUP };
  const write = { kind: 'produce', bytes: BYTES, options: OPTIONS };
  assert.ok(isForwardMessage({ ...call, ask: write }));
  const internal = { ...OPTIONS, isInternal: true };
  for (const nonsense of [
    null,
    5,
    [],
    { kind: 'partition-call' },
    { ...call, ask: null },
    { ...call, ask: { kind: 'constructor' } },
    { ...call, ask: { ...write, bytes: 'text' } },
    { ...call, ask: { ...write, options: internal } },
    { ...call, group: { topicId: 5, partition: 0 }, ask: write },
    { kind: 'partition-answer' },
  ]) {
    assert.not(isForwardMessage(nonsense), JSON.stringify(nonsense));
  }
  const pair = new Pair();
  const outcomes = pair.produce();
  const { callId } = pair.sent[0] as { callId: string };
  pair.asker.onMessage(2, { kind: 'partition-answer', callId, result: { error: 7 } });
  assert.is(outcomes[0]?.error, 'TIMED_OUT');
});

test.run();
