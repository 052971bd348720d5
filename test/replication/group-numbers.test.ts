/** Numbers for groups: both ends of a connection mean the same group by the same number. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HeardGroups, ToldGroups } from '#src/replication/group-numbers.js';
import { type PeerHello } from '#src/replication/peer-frame.js';
import { readTurn } from '#src/replication/peer-turn.js';
import { encodeMessage } from '#src/replication/raft-wire.js';
import { FROM, GREETING, TO } from './raft-values.js';

const PEER: PeerHello = { ...GREETING, nodeId: FROM.nodeId, directoryId: FROM.directoryId };
const SELF: PeerHello = { ...GREETING, nodeId: TO.nodeId, directoryId: TO.directoryId };
const MESSAGE = encodeMessage({ type: 'timeout-now', from: FROM, to: TO, term: 7 });

/** The groups of a turn's messages, or what is wrong with it. */
function read(items: unknown[], heard: HeardGroups): string {
  const groups: string[] = [];
  const turn = { items, bytes: new Uint8Array(0), at: 0, end: 0 };
  const onMessage = ({ topicId, partition }: { topicId: string; partition: number }): void => {
    groups.push(`${topicId}/${partition}`);
  };
  const fault = readTurn(turn, { peer: PEER, self: SELF, heard }, { onMessage }, () => true);
  return fault ?? groups.join(' ');
}

test('each group is told once, and known by its number afterwards', () => {
  const told = new ToldGroups();
  const heard = new HeardGroups();
  for (let i = 0; i < 1_000; i++) {
    const group = { topicId: `t${i % 10}`, partition: i % 7 };
    const number = told.find(group);
    if (number !== null) assert.equal(heard.find(number), group);
    else assert.ok(heard.hear(told.tell(group), group));
  }
});

test('no more numbers are given or taken than the bound', () => {
  const told = new ToldGroups();
  const heard = new HeardGroups();
  let given = 0;
  for (let partition = 0; partition < 65_600; partition++) {
    const number = told.tell({ topicId: 't', partition });
    if (number === null) continue;
    given += 1;
    assert.ok(heard.hear(number, { topicId: 't', partition }));
  }
  assert.is(given, 65_536);
  assert.not(heard.hear(given, { topicId: 't', partition: given }));
});

test('a turn may name groups in each of the three ways', () => {
  const heard = new HeardGroups();
  const first = [
    ['a', 0, MESSAGE, 0],
    ['b', 5, MESSAGE],
    [0, MESSAGE],
    ['c', 1, MESSAGE, 1],
  ];
  assert.is(read(first, heard), 'a/0 b/5 a/0 c/1');
  assert.is(
    read(
      [
        [1, MESSAGE],
        [0, MESSAGE],
      ],
      heard,
    ),
    'c/1 a/0',
  );
});

test('a number that was not told is a fault, and so is one out of its turn', () => {
  const foreign: unknown[] = [0, -1, 0.5, 2 ** 31, '0', null, {}, []];
  for (const number of foreign) {
    assert.is(read([[number, MESSAGE]], new HeardGroups()), 'malformed message');
  }
  for (const number of [1, -1, 0.5, '0', null, {}, Number.NaN]) {
    assert.is(read([['a', 0, MESSAGE, number]], new HeardGroups()), 'malformed message');
  }
});

test('a connection that ends takes its numbers along', () => {
  const heard = new HeardGroups();
  assert.is(read([['a', 0, MESSAGE, 0]], heard), 'a/0');
  heard.clear();
  assert.is(read([[0, MESSAGE]], heard), 'malformed message');
  assert.is(
    read(
      [
        ['b', 0, MESSAGE, 0],
        [0, MESSAGE],
      ],
      heard,
    ),
    'b/0 b/0',
  );
});

test.run();
