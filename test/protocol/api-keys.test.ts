/** The registry, the headers and the error codes. */
import { API_BY_KEY, advertisedApis, isServed } from '#src/protocol/api-keys.js';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import {
  readRequestHeader,
  requestHeaderVersion,
  responseHeaderVersion,
} from '#src/protocol/header.js';
import { apiVersionsApi } from '#src/protocol/messages/api-versions.js';
import { lograftStatusApi } from '#src/protocol/messages/lograft-status.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { saslHandshakeApi } from '#src/protocol/messages/sasl-handshake.js';
import { CodecError } from '#src/protocol/reader.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const isCodecError = (error: unknown): boolean => error instanceof CodecError;

/** Keys and ranges that real clients were tried with. */
const ADVERTISED = `
  0 Produce 0-11, 1 Fetch 4-12, 2 ListOffsets 1-7, 3 Metadata 0-12, 8 OffsetCommit 2-8,
  9 OffsetFetch 1-8, 10 FindCoordinator 0-4, 11 JoinGroup 0-9, 12 Heartbeat 0-4,
  13 LeaveGroup 0-5, 14 SyncGroup 0-5, 15 DescribeGroups 0-5, 16 ListGroups 0-4,
  18 ApiVersions 0-4, 19 CreateTopics 2-7, 20 DeleteTopics 1-6, 22 InitProducerId 0-4,
  23 OffsetForLeaderEpoch 2-4, 32 DescribeConfigs 1-4, 37 CreatePartitions 0-3,
  42 DeleteGroups 0-2, 44 IncrementalAlterConfigs 0-1, 47 OffsetDelete 0-0, 60 DescribeCluster 0-1`;

test('exactly what has a handler is advertised', () => {
  const lines = advertisedApis().map(
    ({ key, name, advertised }) => `${key} ${name} ${advertised.min}-${advertised.max}`,
  );
  assert.equal(
    lines,
    ADVERTISED.split(',').map((line) => line.trim()),
  );
});

test('what librdkafka derives its features from is covered', () => {
  const needed: readonly (readonly [number, number])[] = [
    [0, 0],
    [0, 3],
    [0, 7],
    [1, 4],
    [1, 10],
    [2, 1],
    [8, 2],
    [9, 1],
    [10, 0],
    [11, 0],
    [12, 0],
    [13, 0],
    [14, 0],
    [18, 3],
    [22, 0],
  ];
  for (const [key, version] of needed) {
    const range = advertisedApis().find((api) => api.key === key)?.advertised;
    assert.ok(range !== undefined && range.min <= version && version <= range.max, `${key}`);
  }
});

test('Produce is advertised from 0 and served from 3', () => {
  assert.is(isServed(produceApi, 2), false);
  assert.is(isServed(produceApi, 3), true);
  assert.is(isServed(produceApi, 11), true);
  assert.is(isServed(produceApi, 12), false);
});

test('private and unserved APIs have tables but are not advertised', () => {
  assert.is(isServed(lograftStatusApi, 0), true);
  assert.is(isServed(saslHandshakeApi, 1), false);
  for (const key of [10_000, 10_001, 17, 21, 33, 35, 36]) {
    assert.ok(API_BY_KEY.has(key), `${key}`);
    assert.not.ok(
      advertisedApis().some((api) => api.key === key),
      `${key}`,
    );
  }
});

test('header versions', () => {
  assert.is(requestHeaderVersion(produceApi, 8), 1);
  assert.is(requestHeaderVersion(produceApi, 9), 2);
  assert.is(responseHeaderVersion(produceApi, 8), 0);
  assert.is(responseHeaderVersion(produceApi, 9), 1);
  assert.is(requestHeaderVersion(apiVersionsApi, 3), 2);
  assert.is(responseHeaderVersion(apiVersionsApi, 4), 0);
  assert.is(requestHeaderVersion(saslHandshakeApi, 1), 1);
});

test('of an unknown key or version only the first fields are read', () => {
  const unknown = Buffer.from('03e7' + '0001' + '00000009', 'hex');
  const head = readRequestHeader(unknown, 0, unknown.length);
  assert.is(head.api, null);
  assert.is(head.isKnownVersion, false);
  assert.is(head.correlationId, 9);
  const newer = Buffer.from('0012' + '0063' + '0000000a' + 'ffffffffffff', 'hex');
  const newerHead = readRequestHeader(newer, 0, newer.length);
  assert.is(newerHead.api, apiVersionsApi);
  assert.is(newerHead.isKnownVersion, false);
  assert.is(newerHead.bodyStart, -1);
});

test('a header that is cut, or lies about the client id or its tags', () => {
  const whole = '0012' + '0003' + '00000001' + '000161' + '00';
  for (let length = 0; length < whole.length / 2; length++) {
    const bytes = Buffer.from(whole, 'hex').subarray(0, length);
    assert.throws(() => readRequestHeader(bytes, 0, length), isCodecError, `${length} bytes`);
  }
  for (const end of [
    '7fff61' + '00',
    'fffe' + '00',
    '000161' + 'ffffffff0f',
    '000161' + '0100ff',
  ]) {
    const bytes = Buffer.from(whole.slice(0, 16) + end, 'hex');
    assert.throws(() => readRequestHeader(bytes, 0, bytes.length), isCodecError, end);
  }
});

test('error codes say what an answer proves', () => {
  assert.is(ERROR.NONE, 0);
  assert.is(errorInfo(0).outcome, 'none');
  for (const name of ['REQUEST_TIMED_OUT', 'NOT_LEADER_OR_FOLLOWER'] as const) {
    assert.is(errorInfo(ERROR[name]).outcome, 'indefinite');
    assert.is(errorInfo(ERROR[name]).isRetriable, true);
  }
  for (const name of ['CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE', 'INVALID_RECORD'] as const) {
    assert.is(errorInfo(ERROR[name]).outcome, 'definite');
  }
  assert.is(errorInfo(ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER).name, 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  assert.equal(errorInfo(999), {
    name: 'ERROR_999',
    code: 999,
    isRetriable: false,
    outcome: 'indefinite',
  });
});

test.run();
