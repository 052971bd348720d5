/** Control messages from a peer: sound ones pass, with one wrong field they are no message. */
import { isControlMessage } from '#src/control/message-check.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const topic = { name: 'a', partitions: -1, replicationFactor: 3, assignments: [[1]], configs: {} };
const MESSAGES = [
  {
    kind: 'request',
    requestId: 'r',
    op: { kind: 'createTopics', topics: [topic], isValidateOnly: false },
  },
  { kind: 'request', requestId: 'r', op: { kind: 'allocateProducerIds', nodeId: 1 } },
  { kind: 'response', requestId: 'r', answer: { kind: 'done', offset: 3, value: null } },
  {
    kind: 'leaders',
    entries: [
      { topicId: 't', partition: 0, leaderId: -1, leaderEpoch: 2, inSync: [1, 2], version: 0 },
    ],
  },
  { kind: 'settle', id: 1, offset: 2, topicIds: ['t'] },
];

test('sound messages pass', () => {
  for (const message of MESSAGES) assert.ok(isControlMessage(message), message.kind);
});

test('a field that is missing or of another type makes it no message', () => {
  let count = 0;
  for (const message of MESSAGES) {
    for (const wrong of variants(message)) {
      assert.not.ok(isControlMessage(wrong), JSON.stringify(wrong));
      count += 1;
    }
  }
  assert.ok(count > 50, `${count} variants`);
});

test('what is no object, or of no known kind', () => {
  for (const value of [null, undefined, 7, 'x', [], [null], {}, { kind: 'toString' }]) {
    assert.not.ok(isControlMessage(value));
  }
});

/** The value with each field, at any depth, replaced by something that it never is. */
function variants(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    // An answer's value and texts that may be null are anybody's.
    if (name === 'value' || name === 'configs') return [];
    const changed = [Symbol.iterator, { length: 1 }, ...variants(inner)];
    return changed.map((replacement) => withField(value, name, replacement));
  });
}

function withField(value: object, name: string, replacement: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item, i) => (i === Number(name) ? replacement : item));
  return { ...value, [name]: replacement };
}

test.run();
