/** Tables, handlers and error codes agree: nothing is advertised that nobody answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { advertisedVersions } from '#src/handlers/api-versions.js';
import { codeOf } from '#src/handlers/error-code.js';
import { HANDLERS } from '#src/handlers/registry.js';
import type { PartitionError } from '#src/partition/access.js';
import { API_BY_KEY, advertisedApis } from '#src/protocol/api-keys.js';
import { ERROR, type ErrorOutcome, errorInfo } from '#src/protocol/errors.js';

test('every served API has a handler, and every handler an API that is served', () => {
  const served = [...API_BY_KEY.values()].filter(({ isServed }) => isServed);
  assert.equal(served.map(({ key }) => key).sort(), [...HANDLERS.keys()].sort());
  for (const { key, name } of advertisedApis()) assert.ok(HANDLERS.has(key), name);
});

test('traps 1, 2 and 6: what librdkafka and old clients look for, and nothing unserved', () => {
  const ranges = new Map(advertisedVersions().map((range) => [range.apiKey, range]));
  const needed: Readonly<Record<number, readonly number[]>> = {
    0: [0, 3, 7],
    1: [4, 10, 11],
    2: [1, 2, 3],
    3: [0, 1, 4, 6, 12],
    8: [2, 5, 7],
    9: [1, 4, 7],
    10: [0, 2],
    11: [0, 5],
    12: [0, 3],
    13: [0, 3],
    14: [0, 3],
    18: [0, 3],
    19: [2, 3, 4],
    22: [0, 1, 4],
  };
  for (const [key, versions] of Object.entries(needed)) {
    const range = ranges.get(Number(key));
    for (const version of versions) {
      const isIn =
        range !== undefined && range.minVersion <= version && version <= range.maxVersion;
      assert.ok(isIn, `key ${key} version ${version}`);
    }
  }
  const unserved = [17, 24, 25, 26, 28, 36, 68, 69, 71, 72, 76, 77, 78, 79, 10_000, 10_001];
  for (const key of unserved) assert.not(ranges.has(key), `key ${key}`);
  assert.ok((ranges.get(1)?.maxVersion ?? 99) < 13, 'topic ids are not served in Fetch');
  assert.ok((ranges.get(0)?.maxVersion ?? 99) < 12, 'nor transactions of version 2 in Produce');
});

/** What each error of a partition proves of a produce that got it. */
const PROVES: Readonly<Record<PartitionError, ErrorOutcome>> = {
  UNKNOWN_PARTITION: 'definite',
  NOT_LEADER: 'indefinite',
  LEADER_LOST: 'indefinite',
  FENCED_LEADER_EPOCH: 'definite',
  UNKNOWN_LEADER_EPOCH: 'definite',
  OFFSET_OUT_OF_RANGE: 'definite',
  OFFSET_NOT_AVAILABLE: 'definite',
  CORRUPT_MESSAGE: 'definite',
  INVALID_RECORD: 'definite',
  INVALID_TIMESTAMP: 'definite',
  INVALID_ACKS: 'definite',
  MESSAGE_TOO_LARGE: 'definite',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'definite',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'definite',
  INVALID_PRODUCER_EPOCH: 'definite',
  NOT_ENOUGH_REPLICAS: 'definite',
  TIMED_OUT: 'indefinite',
  STORAGE_FULL: 'definite',
  STORAGE_FAILED: 'definite',
};

test('trap 7: every error of a partition has a code that says what it proves', () => {
  for (const [error, outcome] of Object.entries(PROVES)) {
    const code = codeOf(error as PartitionError);
    assert.is.not(code, ERROR.UNKNOWN_SERVER_ERROR, error);
    assert.is.not(code, ERROR.NONE, error);
    const info = errorInfo(code);
    // To call something definite unsure costs a retry; the other way round costs a record.
    if (outcome === 'indefinite') assert.is(info?.outcome, 'indefinite', error);
    else assert.ok(info !== undefined && info.outcome !== 'none', error);
  }
});

test.run();
