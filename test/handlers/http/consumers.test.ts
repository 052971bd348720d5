/** Consumer instances over a coordinator and a partition made by hand: bounds, ends, commits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HTTP_CONSUMER_REQUESTS_MAX, HTTP_CONSUMERS_MAX } from '#src/base/limits.js';
import { recordChecksum } from '#src/broker/checksum.js';
import { isGroupRequest, isGroupResponse } from '#src/groups/call-checks.js';
import type { ClusterImage } from '#src/control/image.js';
import { LeaderTable } from '#src/control/leader-table.js';
import type { GroupError } from '#src/groups/group-types.js';
import { Consumers } from '#src/handlers/http/consumer/consumers.js';
import type { HttpContext } from '#src/handlers/http/context.js';
import { Problem } from '#src/handlers/http/problem.js';
import type { FetchOutcome, PartitionAccess } from '#src/partition/access.js';
import { encodeAssignment } from '#src/protocol/consumer-protocol.js';
import { encodeBatch } from '#src/records/batch.js';
import { waitFor } from '../../support/wait-for.js';

const NEW = {
  groupId: 'g',
  clientHost: '127.0.0.1',
  format: 'json',
  reset: 'earliest',
  isAutoCommit: true,
  waitMs: 0,
} as const;
const TOPIC = { name: 't', topicId: 'id', partitions: [{ partition: 0, replicas: [] }] };

type Call = { readonly method: string; readonly request: Record<string, unknown> };

/** Closed after each test, also after one that failed: their heartbeats hold the process. */
const open: Consumers[] = [];

test.after.each(async () => {
  await Promise.all(open.splice(0).map((consumers) => consumers.close()));
});

/** One topic of one partition with three records, and a coordinator that says what it is told. */
class World {
  nowMs = 0;
  joinError: GroupError | null = null;
  heartbeatError: GroupError | null = null;
  generationId = 0;
  readonly calls: Call[] = [];
  readonly context = this.#context();

  consumers(idleMs?: number): Consumers {
    const made = new Consumers(this.context, idleMs);
    open.push(made);
    return made;
  }

  named(method: string): Call[] {
    return this.calls.filter((call) => call.method === method);
  }

  #context(): HttpContext {
    const leaders = new LeaderTable();
    const led = { leaderId: 1, leaderEpoch: 1, inSync: [1], version: 1 };
    leaders.merge([{ topicId: TOPIC.topicId, partition: 0, ...led }]);
    const context = {
      nodeId: 1,
      newId: () => `id-${this.calls.length}`,
      clock: { monotonicMs: () => this.nowMs, wallMs: () => 0 },
      checksum: recordChecksum,
      sent: () => {},
      image: () => {
        const topics = new Map(['t', '__consumer_offsets'].map((name) => [name, TOPIC]));
        return { topics } as unknown as ClusterImage;
      },
      leaders: () => leaders,
      leader: () => PARTITION as PartitionAccess,
      callGroup: (method, _groupId, request) => {
        assert.ok(isGroupRequest(method, request), `${method} ${JSON.stringify(request)}`);
        this.calls.push({ method, request: { ...request } });
        const response = this.#answer(method);
        assert.ok(isGroupResponse(method, response), method);
        return Promise.resolve(response as never);
      },
    } satisfies Partial<HttpContext>;
    return context as unknown as HttpContext;
  }

  #answer(method: string): object {
    switch (method) {
      case 'join':
        if (this.joinError === null) this.generationId += 1;
        return {
          error: this.joinError,
          generationId: this.generationId,
          protocolType: 'consumer',
          protocolName: 'range',
          leader: 'another',
          memberId: 'm',
          members: [],
        };
      case 'sync': {
        const assignment = encodeAssignment(new Map([['t', [0]]]));
        return { error: null, protocolType: 'consumer', protocolName: 'range', assignment };
      }
      case 'heartbeat': {
        const error = this.heartbeatError;
        this.heartbeatError = null;
        return { error };
      }
      case 'leave':
        return { error: null, members: [] };
      case 'commitOffsets':
        return { topics: [] };
      default:
        return { groupId: 'g', error: null, topics: [] };
    }
  }
}

/** What a consumer asks of a partition. */
const PARTITION: Partial<PartitionAccess> = {
  fetch: (_request, done) => done(records()),
  offsetFor: (_question, _epoch, done) =>
    done({ error: null, offset: 0, timestampMs: -1, leaderEpoch: 1 }),
  onAdvance: () => () => {},
};

function records(): FetchOutcome {
  const values = ['0', '1', '2'].map((value) => ({ key: null, value: Buffer.from(value) }));
  const bytes = encodeBatch({ records: values }, recordChecksum);
  return {
    error: null,
    highWatermark: 3,
    lastStableOffset: 3,
    logStartOffset: 0,
    data: { kind: 'bytes', bytes, nextOffset: 3 },
  };
}

const gone = new AbortController().signal;

async function refusal(work: () => unknown): Promise<Problem> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

test('who is not asked for anything is given up, and leaves the group', async () => {
  const world = new World();
  const consumers = world.consumers(1_000);
  const idle = consumers.create({ ...NEW, name: 'idle' });
  const used = consumers.create({ ...NEW, name: 'used' });
  await idle.subscribe(['t']);
  await waitFor('an assignment', () => idle.assignments.length === 1);
  world.nowMs = 999;
  consumers.expire();
  assert.is(consumers.size, 2);
  await used.inTurn(async () => {});
  world.nowMs = 1_000;
  consumers.expire();
  assert.is(consumers.find('g', 'used'), used);
  assert.is((await refusal(() => consumers.find('g', 'idle'))).code, 'UNKNOWN_CONSUMER');
  await waitFor('a leave', () => world.named('leave').length === 1);
  // One that is being waited for is in use however long that takes.
  const waiting = used.inTurn(() => new Promise((resolve) => setTimeout(resolve, 50)));
  world.nowMs = 9_000;
  consumers.expire();
  assert.is(consumers.size, 1);
  await waiting;
});

test('instances, and requests for one of them, are bounded', async () => {
  const world = new World();
  const consumers = world.consumers();
  for (let i = 0; i < HTTP_CONSUMERS_MAX; i++) consumers.create({ ...NEW, name: `n${i}` });
  const full = await refusal(() => consumers.create({ ...NEW, name: null }));
  assert.equal([full.status, full.code], [503, 'TOO_MANY_CONSUMERS']);
  const consumer = consumers.find('g', 'n0');
  const ends: (() => void)[] = [];
  const work = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const waiting = Array.from({ length: HTTP_CONSUMER_REQUESTS_MAX }, () => consumer.inTurn(work));
  assert.is((await refusal(() => consumer.inTurn(work))).status, 429);
  for (let i = 0; i < waiting.length; i++) {
    await waitFor('its turn', () => ends.length > 0);
    assert.is(ends.length, 1, 'one after the other');
    ends.pop()?.();
  }
  await Promise.all(waiting);
});

test('a rebalance commits what the client is done with, and no more', async () => {
  const world = new World();
  const consumers = world.consumers();
  const consumer = consumers.create({ ...NEW, name: 'a' });
  await consumer.subscribe(['t']);
  await waitFor('an assignment', () => consumer.assignments.length === 1);
  const next = (): Promise<string[]> => consumer.records({ waitMs: 0, bytesMax: 1 }, gone);
  const offsetOf = (text = ''): number => (JSON.parse(text) as { offset: number }).offset;
  assert.equal((await next()).map(offsetOf), [0]);
  assert.equal((await next()).map(offsetOf), [1]);
  world.heartbeatError = 'REBALANCE_IN_PROGRESS';
  await waitFor('the next generation', () => world.generationId === 2);
  const [commit] = world.named('commitOffsets');
  assert.is(commit?.request['generationId'], 1);
  assert.match(JSON.stringify(commit?.request), '"committedOffset":1');
  await waitFor('an assignment', () => consumer.assignments.length === 1);
  // Nobody else had it in between: it goes on where it was.
  assert.equal((await next()).map(offsetOf), [2]);
  await consumers.delete('g', 'a');
  assert.match(JSON.stringify(world.named('commitOffsets').at(-1)?.request), '"committedOffset":3');
});

test('a group that does not take the consumer is said to its client', async () => {
  const world = new World();
  world.joinError = 'INCONSISTENT_GROUP_PROTOCOL';
  const consumers = world.consumers();
  const consumer = consumers.create({ ...NEW, name: 'a' });
  await consumer.subscribe(['t']);
  const read = (): Promise<string[]> => consumer.records({ waitMs: 0, bytesMax: 1 }, gone);
  await waitFor('a refusal', async () => {
    const found = await read().catch((error: Problem) => error.code);
    return found === 'INCONSISTENT_GROUP_PROTOCOL';
  });
});

test('calls of other nodes have their shape', () => {
  const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
  assert.ok(isGroupRequest('heartbeat', heartbeat));
  for (const [method, request] of [
    ['heartbeat', null],
    ['heartbeat', { ...heartbeat, generationId: '1' }],
    ['constructor', heartbeat],
    ['__proto__', heartbeat],
    ['join', heartbeat],
    ['commitOffsets', { ...heartbeat, retentionTimeMs: -1, topics: [{ name: 't' }] }],
  ] as const) {
    assert.not(isGroupRequest(method, request), method);
  }
  assert.not(isGroupResponse('heartbeat', { error: 5 }));
  assert.not(isGroupResponse('toString', {}));
});

test.run();
