/** The hop between shards: two routers joined by a channel, with partitions that a test plays. */
import { MessageChannel } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GroupKey } from '#src/base/group.js';
import { CLIENT_OUTBOUND_BYTES_MAX } from '#src/base/limits.js';
import {
  type FetchOutcome,
  type FetchRequest,
  type PartitionAccess,
  type ProduceOptions,
  type ProduceOutcome,
} from '#src/partition/access.js';
import type { Partition } from '#src/partition/partition.js';
import { PartitionRouter } from '#src/partition/router.js';
import { ThreadLink } from '#src/partition/thread-link.js';
import { waitFor } from '../support/wait-for.js';

/** Where the range of an answer lies. */
const PLACE = { path: '', bytes: null, filePosition: 17, length: 5, baseOffset: 0, nextOffset: 1 };

const PRODUCED: ProduceOutcome = {
  ...{ error: null, baseOffset: 7, logAppendTimeMs: -1, logStartOffset: 0, message: null },
};
const OPTIONS: ProduceOptions = { acks: -1, timeoutMs: 1_000 };
const REQUEST: FetchRequest = { offset: 0, maxBytes: 1_000, isFirst: true, currentLeaderEpoch: -1 };

/** A partition that notes what it is asked and answers what the test wants. */
class PlayedPartition implements PartitionAccess {
  produced: Uint8Array[] = [];
  asked: FetchRequest[] = [];
  waiting = new Set<() => void>();
  outcome: FetchOutcome = {
    ...{ error: null, highWatermark: 5, lastStableOffset: 5, logStartOffset: 0, data: null },
  };
  /** True: who wants to wait is woken within the call. */
  isPast = false;

  produce(
    bytes: Uint8Array,
    start: number,
    length: number,
    _options: ProduceOptions,
    done: (outcome: ProduceOutcome) => void,
  ): void {
    this.produced.push(bytes.slice(start, start + length));
    done(PRODUCED);
  }

  fetch(request: FetchRequest, done: (outcome: FetchOutcome) => void): void {
    this.asked.push(request);
    done(this.outcome);
  }

  extent: PartitionAccess['extent'] = ({ offset, endOffset }, done) => {
    const facts = { highWatermark: 9, logStartOffset: 0, leaderEpoch: 2 };
    done({ error: null, firstOffset: offset, nextOffset: endOffset ?? 9, bytes: 70, ...facts });
  };

  onAdvance(_offset: number, wake: () => void): () => void {
    if (this.isPast) wake();
    else this.waiting.add(wake);
    return () => this.waiting.delete(wake);
  }

  offsetFor: PartitionAccess['offsetFor'] = (_question, leaderEpoch, done) => {
    done({ error: null, offset: 3, timestampMs: 4, leaderEpoch });
  };

  epochEnd: PartitionAccess['epochEnd'] = (leaderEpoch, _current, done) => {
    done({ error: null, leaderEpoch, endOffset: 9 });
  };
}

type Pair = {
  readonly routers: readonly [PartitionRouter, PartitionRouter];
  /** One partition on each shard. */
  readonly groups: readonly [GroupKey, GroupKey];
  readonly played: readonly [PlayedPartition, PlayedPartition];
  close(): void;
};

/** A file that cannot be read. */
const BAD_FD = 99;

function pair(): Pair {
  const { port1, port2 } = new MessageChannel();
  const links = [new ThreadLink(port1), new ThreadLink(port2)] as const;
  const played = [new PlayedPartition(), new PlayedPartition()] as const;
  const known = new Map<string, PlayedPartition>();
  const local = (group: GroupKey): Partition | undefined =>
    known.get(`${group.topicId}${group.partition}`) as unknown as Partition | undefined;
  const readRange = (fd: number, position: number, length: number): Uint8Array<ArrayBuffer> => {
    if (fd === BAD_FD) throw Object.assign(new Error('EIO: read'), { code: 'EIO' });
    return new Uint8Array(length).fill(position);
  };
  const routers = [
    new PartitionRouter({ links: [null, links[0]], local, readRange }),
    new PartitionRouter({ links: [links[1], null], local, readRange }),
  ] as const;
  const groupOn = (shard: number): GroupKey => {
    for (let partition = 0; ; partition++) {
      const group = { topicId: 'abcdefghijklmnopqrstuv', partition };
      if (routers[0].ownerOf(group) === shard) return group;
    }
  };
  const groups = [groupOn(0), groupOn(1)] as const;
  groups.forEach((group, i) => {
    known.set(`${group.topicId}${group.partition}`, played[i] as PlayedPartition);
  });
  return { routers, groups, played, close: () => links[0].close() };
}

test('a partition of this shard is asked directly: the call returns with the answer', () => {
  const { routers, groups, played, close } = pair();
  let outcome: FetchOutcome | null = null;
  routers[0].access(groups[0]).fetch(REQUEST, (o) => {
    outcome = o;
  });
  assert.is(outcome, played[0].outcome);
  close();
});

test('produce hops with a copy: the frame may be reused at once', async () => {
  const { routers, groups, played, close } = pair();
  const frame = Buffer.from('..a record batch..');
  const outcome = await new Promise<ProduceOutcome>((resolve) => {
    routers[0].access(groups[1]).produce(frame, 2, 14, OPTIONS, resolve);
    frame.fill(0);
  });
  assert.equal(outcome, PRODUCED);
  assert.is(Buffer.from(played[1].produced[0] as Uint8Array).toString(), 'a record batch');
  close();
});

test('a fetched range comes back as bytes, no more than may lie in memory', async () => {
  const { routers, groups, played, close } = pair();
  const range = { ...PLACE, fd: 3 };
  played[1].outcome = { ...played[1].outcome, data: { kind: 'range', range } };
  const request = { ...REQUEST, maxBytes: 1 << 30 };
  const outcome = await new Promise<FetchOutcome>((resolve) => {
    routers[0].access(groups[1]).fetch(request, resolve);
  });
  assert.equal(outcome.data, {
    ...{ kind: 'bytes', bytes: new Uint8Array(5).fill(17), nextOffset: 1 },
  });
  assert.is(played[1].asked[0]?.maxBytes, CLIENT_OUTBOUND_BYTES_MAX);
  close();
});

test('a range that the disk refuses is the trouble of one fetch, not of the thread', async () => {
  const { routers, groups, played, close } = pair();
  const range = { ...PLACE, fd: BAD_FD };
  played[1].outcome = { ...played[1].outcome, data: { kind: 'range', range } };
  const outcome = await new Promise<FetchOutcome>((resolve) => {
    routers[0].access(groups[1]).fetch(REQUEST, resolve);
  });
  assert.is(outcome.error, 'STORAGE_FAILED');
  assert.is(outcome.data, null);
  close();
});

test('offsets and epochs hop too', async () => {
  const { routers, groups, close } = pair();
  const access = routers[0].access(groups[1]);
  const answer = await new Promise((resolve) => access.offsetFor({ kind: 'latest' }, 6, resolve));
  assert.equal(answer, { error: null, offset: 3, timestampMs: 4, leaderEpoch: 6 });
  const end = await new Promise((resolve) => access.epochEnd(2, -1, resolve));
  assert.equal(end, { error: null, leaderEpoch: 2, endOffset: 9 });
  close();
});

test('a long poll is woken across the hop, once, and a cancelled one never', async () => {
  const { routers, groups, played, close } = pair();
  const access = routers[0].access(groups[1]);
  let wakes = 0;
  access.onAdvance(0, () => wakes++);
  const cancel = access.onAdvance(0, () => {
    wakes += 100;
  });
  await waitFor('both to wait', () => played[1].waiting.size === 2, { everyMs: 1 });
  cancel();
  await waitFor('one to be gone', () => played[1].waiting.size === 1, { everyMs: 1 });
  for (const wake of [...played[1].waiting]) wake();
  await waitFor('the wake', () => wakes > 0, { everyMs: 1 });
  assert.is(wakes, 1);
  cancel();
  close();
});

test('a poll that is woken within the call is told so across the hop', async () => {
  const { routers, groups, played, close } = pair();
  played[1].isPast = true;
  await new Promise<void>((resolve) => routers[0].access(groups[1]).onAdvance(0, resolve));
  close();
});

test('a partition that nobody holds: not the leader, at once or after a hop', async () => {
  const { routers, close } = pair();
  for (const partition of [1_000, 1_001, 1_002, 1_003]) {
    const access = routers[0].access({ topicId: 'abcdefghijklmnopqrstuv', partition });
    const fetched = await new Promise<FetchOutcome>((resolve) => access.fetch(REQUEST, resolve));
    assert.is(fetched.error, 'NOT_LEADER');
    const produced = await new Promise<ProduceOutcome>((resolve) => {
      access.produce(Buffer.alloc(4), 0, 4, OPTIONS, resolve);
    });
    assert.is(produced.error, 'NOT_LEADER');
    await new Promise<void>((resolve) => access.onAdvance(0, resolve));
  }
  close();
});

test('when the other shard ends, what was produced there may be written: indefinite', async () => {
  const { routers, groups, played, close } = pair();
  const produced = new Promise<ProduceOutcome>((resolve) => {
    played[1].produce = () => undefined;
    routers[0].access(groups[1]).produce(Buffer.alloc(4), 0, 4, OPTIONS, resolve);
  });
  close();
  assert.is((await produced).error, 'TIMED_OUT');
});

test.run();
