/** Leader table, announcements and the spreading back of leaders. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Announcer } from '#src/control/announcer.js';
import { applyRecord } from '#src/control/image.js';
import { balanceLeaders } from '#src/control/leader-balance.js';
import { hasLeaders, LeaderTable, leaderSeenByClients } from '#src/control/leader-table.js';
import { ANNOUNCE_ENTRIES_MAX, REFRESH_INTERVAL_MS } from '#src/control/limits.js';
import type { LeaderEntry, LeadersMessage } from '#src/control/messages.js';
import { createRecord, idOf, imageWithBrokers } from './fixtures.js';

const A = idOf('id', 1);

function entry(
  partition: number,
  leaderId: number,
  leaderEpoch: number,
  version: number,
): LeaderEntry {
  return { topicId: A, partition, leaderId, leaderEpoch, inSync: [leaderId], version };
}

test('the order in which entries arrive does not matter', () => {
  const facts = fc.array(
    fc.record({ partition: fc.nat(2), leaderEpoch: fc.nat(3), version: fc.nat(5) }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(facts, fc.infiniteStream(fc.nat()), (list, noise) => {
      // One node leads an epoch and versions are its own, so equal keys mean equal entries.
      const entries = list.map((f) =>
        entry(f.partition, f.leaderEpoch + 1, f.leaderEpoch, f.version),
      );
      const shuffled = entries
        .map((e) => [noise.next().value, e] as const)
        .sort(([a], [b]) => a - b)
        .map(([, e]) => e);
      const [one, other] = [new LeaderTable(), new LeaderTable()];
      one.merge(entries);
      for (const e of shuffled) other.merge([e, e]);
      for (const p of [0, 1, 2]) assert.equal(one.get(A, p), other.get(A, p));
    }),
  );
});

test('merge returns what changed; deleted topics leave the table', () => {
  const table = new LeaderTable();
  assert.is(table.merge([entry(0, 1, 5, 1), entry(0, 1, 5, 1), entry(0, 2, 4, 9)]).length, 1);
  assert.is(table.merge([entry(0, 1, 5, 2)]).length, 1);
  const image = applyRecord(imageWithBrokers(3), createRecord('a', A, 1, [1, 2, 3]));
  table.removeDeleted(image);
  assert.is([...table.entries()].length, 1);
  table.removeDeleted(applyRecord(image, { kind: 'delete-topic', topicId: A }));
  assert.is([...table.entries()].length, 0);
});

test('clients are not sent to a leader that gave up, is unknown or fenced', () => {
  const image = applyRecord(imageWithBrokers(3), createRecord('a', A, 2, [1, 2, 3]));
  const table = new LeaderTable();
  assert.is(leaderSeenByClients(image, table, A, 0), -1);
  table.merge([entry(0, 1, 5, 1), entry(1, 2, 5, 1)]);
  assert.is(leaderSeenByClients(image, table, A, 0), 1);
  assert.is(hasLeaders(image, table, A), true);
  const fenced = applyRecord(image, {
    kind: 'fence-broker',
    nodeId: 1,
    incarnation: idOf('run', 1),
  });
  assert.is(leaderSeenByClients(fenced, table, A, 0), -1);
  assert.is(hasLeaders(fenced, table, A), false);
  table.merge([{ ...entry(0, 1, 5, 2), leaderId: -1 }]);
  assert.is(leaderSeenByClients(image, table, A, 0), -1);
});

/** An announcer whose messages land in per-node tables while `isOpen`. */
function announcer(): {
  tell: Announcer;
  tables: Map<number, LeaderTable>;
  sent: LeadersMessage[];
  link: { isOpen: boolean };
} {
  const tables = new Map([2, 3].map((id) => [id, new LeaderTable()] as const));
  const sent: LeadersMessage[] = [];
  const link = { isOpen: true };
  const tell = new Announcer({
    self: 1,
    send: (to, message) => {
      if (!link.isOpen) return false;
      sent.push(message);
      tables.get(to)?.merge(message.entries);
      return true;
    },
  });
  return { tell, tables, sent, link };
}

const fact = (partition: number, leaderId: number, leaderEpoch: number) => ({
  topicId: A,
  partition,
  leaderId,
  leaderEpoch,
  inSync: [1],
});

test('changes are told at once, everything when a link comes up', () => {
  const { tell, tables, sent } = announcer();
  tell.onLinkUp(2);
  tell.announce([fact(0, 1, 1), fact(1, 1, 1)]);
  tell.flush();
  assert.is(tables.get(2)?.get(A, 1)?.leaderId, 1);
  assert.is(tables.get(3)?.get(A, 1), undefined);
  tell.announce([fact(1, -1, 1)]);
  tell.onLinkUp(3);
  assert.is(tables.get(3)?.get(A, 0)?.leaderId, 1);
  assert.is(tables.get(3)?.get(A, 1)?.leaderId, -1);
  const count = sent.length;
  tell.flush();
  assert.is(sent.length, count + 1, 'only node 2 had something untold');
  tell.flush();
  assert.is(sent.length, count + 1);
});

test('a link over its bound gets the newest entry of each partition later', () => {
  const { tell, tables, sent, link } = announcer();
  tell.onLinkUp(2);
  link.isOpen = false;
  const count = ANNOUNCE_ENTRIES_MAX + 10;
  for (const epoch of [1, 2, 3]) {
    tell.announce(Array.from({ length: count }, (_, p) => fact(p, 1, epoch)));
    tell.flush();
  }
  link.isOpen = true;
  tell.flush();
  assert.equal(
    sent.map(({ entries }) => entries.length),
    [ANNOUNCE_ENTRIES_MAX, 10],
  );
  assert.is(tables.get(2)?.get(A, count - 1)?.leaderEpoch, 3);
});

test('what was lost is told again by the refresh, and a deleted topic no more', () => {
  const { tell, tables } = announcer();
  tell.onLinkUp(2);
  tell.announce([fact(0, 1, 1)]);
  tell.flush();
  tables.get(2)?.removeTopic(A);
  tell.tick(REFRESH_INTERVAL_MS);
  tell.tick(REFRESH_INTERVAL_MS * 2);
  assert.is(tables.get(2)?.get(A, 0)?.leaderId, 1);
  tables.get(2)?.removeTopic(A);
  tell.removeTopic(A);
  for (let i = 3; i < 6; i++) tell.tick(REFRESH_INTERVAL_MS * i);
  assert.is(tables.get(2)?.get(A, 0), undefined);
});

test('leaders go back to the preferred replica once it is live, steady and in sync', () => {
  const image = applyRecord(imageWithBrokers(3), createRecord('a', A, 6, [1, 2, 3]));
  const table = new LeaderTable();
  // Node 1 leads everything after a failover; node 2 has caught up, node 3 has not.
  for (let p = 0; p < 6; p++) table.merge([{ ...entry(p, 1, 2, 1), inSync: [1, 2] }]);
  const ask = (self: number, steady: readonly number[], transfersMax = 10) =>
    balanceLeaders({ image, table, self, isSteady: (id) => steady.includes(id), transfersMax }).map(
      ({ partition, to }) => [partition, to],
    );
  assert.equal(ask(1, [1, 2, 3]), [
    [1, 2],
    [4, 2],
  ]);
  assert.equal(ask(1, [1, 2, 3], 1), [[1, 2]]);
  assert.equal(ask(1, [1]), []);
  assert.equal(ask(2, [1, 2, 3]), [], 'only the leader moves a partition');
});

test.run();
