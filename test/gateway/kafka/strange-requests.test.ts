/**
 * Requests that are well formed but strange, drawn from the message tables with a seed, some with
 * flipped bytes: every API in every version reaches its handler with values no client would send.
 * The broker answers, refuses or closes; it never ends.
 */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { API_BY_KEY } from '#src/protocol/api-keys.js';
import { ERROR } from '#src/protocol/errors.js';
import { encodeRequestFrame } from '#src/protocol/frame.js';
import { createTopicsApi } from '#src/protocol/messages/create-topics.js';
import { describeConfigsApi } from '#src/protocol/messages/describe-configs.js';
import { incrementalAlterConfigsApi } from '#src/protocol/messages/incremental-alter-configs.js';
import { joinGroupApi } from '#src/protocol/messages/join-group.js';
import { lograftAdminApi } from '#src/protocol/messages/lograft-admin.js';
import { CodecError } from '#src/protocol/reader.js';
import type { Api } from '#src/protocol/schema.js';
import { Door, makeBatch, only } from '../../handlers/kit.js';
import { messageValues } from '../../protocol/table-values.js';
import { TestCluster } from '../../support/cluster.js';
import { ConnectionLost } from '../../support/kafka-connection.js';
import { waitFor } from '../../support/wait-for.js';
import { RawSocket } from './raw-socket.js';

const SEED = Number(process.env.LOGRAFT_TEST_SEED ?? 20_241_122);
const PER_VERSION = 25;

/** Names that lead a request further than a random one would. */
const WORDS = ['orders', '__consumer_offsets', 'group', '1', '', '__proto__', 'retention.ms', '-1'];

const CONNECTIONS_MAX = 40;
const cluster = await TestCluster.start({
  nodes: 1,
  settings: [`max.connections=${CONNECTIONS_MAX}`],
});
const [address] = cluster.bootstrap as [string];
const door = await Door.open(address);
await door.createTopic('orders', 2);
const pid = cluster.pid(1);

test.after(async () => {
  door.close();
  await cluster.down();
});

async function isAlive(): Promise<void> {
  const { nodes } = await cluster.status();
  assert.equal(
    nodes.map((node) => [node.state, node.pid]),
    [['running', pid]],
    `seed ${SEED}`,
  );
}

test('strange values in every API and version', async () => {
  const random = new Prng(SEED);
  const frames: Buffer[] = [];
  for (const api of API_BY_KEY.values()) {
    if (!api.isServed) continue;
    for (let version = api.serveFrom; version <= api.advertised.max; version++) {
      frames.push(...strangeFrames(api, version, random));
    }
  }
  assert.ok(frames.length > 1_500, `${frames.length} frames`);
  // In an order of their own, so that APIs meet each other.
  for (let i = frames.length - 1; i > 0; i--) {
    const j = random.int(0, i + 1);
    [frames[i], frames[j]] = [frames[j] as Buffer, frames[i] as Buffer];
  }
  const lane = async (): Promise<void> => {
    while (frames.length > 0) {
      const socket = await RawSocket.open(cluster.basePort);
      for (const frame of frames.splice(0, 10)) socket.send(frame);
      await new Promise((resolve) => setTimeout(resolve, random.int(1, 15)));
      socket.destroy();
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  await isAlive();
  await door.createTopic('afterwards', 1);
  const { errorCode } = await door.produce('afterwards', 0, makeBatch());
  assert.is(errorCode, ERROR.NONE);
});

function strangeFrames(api: Api, version: number, random: Prng): Buffer[] {
  const options = { numRuns: PER_VERSION, seed: random.uint32() };
  return fc.sample(messageValues(api.request, version), options).flatMap((value) => {
    const body = familiar(value, random) as typeof value;
    const header = { apiVersion: version, correlationId: 1, clientId: random.pick(WORDS) };
    try {
      const frame = encodeRequestFrame(api, { ...header, body });
      if (random.chance(0.3)) frame[random.int(8, frame.length)] = random.int(0, 256);
      return [frame];
    } catch (error) {
      // A tenth of the draws do not fit their version: not what this is about.
      if (error instanceof CodecError) return [];
      throw error;
    }
  });
}

/** Puts some known names and small numbers into a drawn value. */
function familiar(value: unknown, random: Prng): unknown {
  if (Array.isArray(value)) return value.map((inner) => familiar(inner, random));
  if (typeof value === 'string' && value.length !== 22 && random.chance(0.6))
    return random.pick(WORDS);
  if (typeof value === 'number' && value > 127 && random.chance(0.6)) return random.int(0, 4);
  if (typeof value !== 'object' || value === null || 'bytes' in value) return value;
  if (value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, familiar(inner, random)]),
  );
}

test('commands of the private API', async () => {
  const commands = [
    ...['', '{', 'null', '1', '"x"', '[]', '{}', '{"op":1}', '{"op":"nothing"}'],
    '{"op":"transfer-leader"}',
    '{"op":"transfer-leader","topic":"afterwards","partition":"0","to":1}',
    '{"op":"transfer-leader","topic":"afterwards","partition":0,"to":{}}',
    '{"op":"transfer-leader","topic":["afterwards"],"partition":0,"to":1}',
    '{"op":"transfer-leader","topic":"nowhere","partition":0,"to":1}',
  ];
  for (const command of commands) {
    const answer = await door.connection.request(lograftAdminApi, 0, { command });
    assert.is(answer.errorCode, ERROR.INVALID_REQUEST, command);
  }
  for (const rest of ['"partition":99,"to":1', '"partition":0,"to":99', '"partition":-1,"to":-1']) {
    const command = `{"op":"transfer-leader","topic":"afterwards",${rest}}`;
    await door.connection.request(lograftAdminApi, 0, { command });
  }
  await isAlive();
});

test('names that do not fit an answer: an error or a closed connection', async () => {
  const long = 'x'.repeat(32_767);
  const topic = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const create = { topics: [{ name: long, ...topic }], timeoutMs: 1_000, validateOnly: false };
  await answersOrCloses(createTopicsApi, 5, create);
  const configs = [{ name: long, configOperation: 0, value: long }];
  const alter = { resources: [{ resourceType: 2, resourceName: 'afterwards', configs }] };
  await answersOrCloses(incrementalAlterConfigsApi, 1, { ...alter, validateOnly: false });
  const resource = { resourceType: 4, resourceName: long, configurationKeys: null };
  const describe = { resources: [resource], includeSynonyms: true, includeDocumentation: true };
  await answersOrCloses(describeConfigsApi, 4, describe);
  const join = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, memberId: '' };
  const rest = {
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(4) }],
  };
  for (const [groupId, groupInstanceId] of [
    [long, null],
    ['g', long],
  ] as const) {
    await answersOrCloses(joinGroupApi, 5, { ...join, ...rest, groupId, groupInstanceId });
  }
  await isAlive();
});

async function answersOrCloses(
  api: Api,
  version: number,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  const own = await Door.open(address);
  try {
    await own.connection.request(api, version, body);
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
    assert.match(error.message, /closed by the broker/);
  } finally {
    own.close();
  }
}

test('config names that JavaScript knows too', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const topic = { name: 'odd', numPartitions: 1, replicationFactor: 1, assignments: [] };
    const topics = [{ ...topic, configs: [{ name, value: '1' }] }];
    const body = { topics, timeoutMs: 5_000, validateOnly: false };
    const answer = await door.connection.request(createTopicsApi, 5, body);
    assert.is(only(answer.topics).errorCode, ERROR.INVALID_CONFIG, name);
    const configs = [{ name, configOperation: 0, value: '1' }];
    const resources = [{ resourceType: 2, resourceName: 'afterwards', configs }];
    const altered = await door.connection.request(incrementalAlterConfigsApi, 1, {
      resources,
      validateOnly: false,
    });
    assert.is(only(altered.responses).errorCode, ERROR.INVALID_CONFIG, name);
  }
});

test('connections beyond the limit are closed, until others go', async () => {
  const opening = Array.from({ length: CONNECTIONS_MAX + 20 }, () =>
    RawSocket.open(cluster.basePort),
  );
  const sockets = await Promise.all(opening);
  await waitFor('the last ones to be closed', () => sockets.filter((s) => s.isClosed).length > 19);
  assert.ok(sockets.filter((s) => s.isClosed).length < 25);
  assert.is((await door.produce('afterwards', 0, makeBatch())).errorCode, ERROR.NONE);
  for (const socket of sockets) socket.destroy();
  await waitFor('room', async () => {
    const own = await Door.open(address);
    const { errorCode } = await own
      .produce('afterwards', 0, makeBatch())
      .finally(() => own.close());
    return errorCode === ERROR.NONE;
  });
});

test.run();
