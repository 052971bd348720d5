/**
 * The epoch history against logs spelled out entry by entry: every question it answers from a few
 * numbers is answered again by walking the entries, on random cases.
 */
import {
  comparePositions,
  type EpochEntry,
  isSamePosition,
  ORIGIN,
  type Position,
} from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import { EpochHistory } from '#src/raft/epoch-history.js';
import { EPOCH_NONE } from '#src/raft/messages.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const CASES = 4_000;

/** One entry: where it begins and ends, and the epoch that wrote it. */
type Entry = { readonly from: Position; readonly to: Position; readonly epoch: number };

/** A common past written once, then a tail of its own; epochs are used by one log only. */
function randomLogs(random: Prng): [Entry[], Entry[]] {
  const shared = extend(random, [], random.int(0, 4), (n) => 2 * n);
  const one = extend(random, shared, random.int(0, 4), (n) => 2 * n);
  const other = extend(random, shared, random.int(0, 4), (n) => 2 * n + 1);
  return [one, other];
}

function extend(
  random: Prng,
  entries: readonly Entry[],
  epochs: number,
  nameOf: (n: number) => number,
): Entry[] {
  const all = [...entries];
  let number = Math.floor((all.at(-1)?.epoch ?? 0) / 2);
  for (let i = 0; i < epochs; i++) {
    number += random.int(1, 3);
    push(all, nameOf(number), 0);
    for (let left = random.int(0, 4); left > 0; left--) {
      push(all, nameOf(number), random.chance(0.2) ? 0 : random.int(1, 4));
    }
  }
  return all;
}

/** An entry of `records` records; of none it is a mark. */
function push(all: Entry[], epoch: number, records: number): void {
  const from = all.at(-1)?.to ?? ORIGIN;
  const to = { offset: from.offset + records, marks: from.marks + (records === 0 ? 1 : 0) };
  all.push({ from, to, epoch });
}

function historyOf(entries: readonly Entry[]): EpochHistory {
  const epochs: EpochEntry[] = [];
  for (const { epoch, from } of entries) {
    if (epochs.at(-1)?.epoch !== epoch) epochs.push({ epoch, start: from });
  }
  return new EpochHistory(epochs);
}

function endOf(entries: readonly Entry[]): Position {
  return entries.at(-1)?.to ?? ORIGIN;
}

/** Length of the common prefix, entry by entry. */
function commonEnd(one: readonly Entry[], other: readonly Entry[]): Position {
  let end = ORIGIN;
  for (const [i, entry] of one.entries()) {
    const twin = other[i];
    if (twin?.epoch !== entry.epoch || !isSamePosition(twin.to, entry.to)) break;
    end = entry.to;
  }
  return end;
}

test('answers are those of a walk over the entries', () => {
  const random = new Prng(11);
  for (let i = 0; i < CASES; i++) {
    const [entries] = randomLogs(random);
    const history = historyOf(entries);
    for (const entry of entries) {
      assert.is(history.epochEndingAt(entry.to), entry.epoch);
      assert.is(history.epochStartingAt(entry.from), entry.epoch);
      const last = entries.filter(({ epoch }) => epoch === entry.epoch).at(-1);
      assert.equal(history.endOf(entry.epoch, endOf(entries)), last?.to);
    }
    const wanted = random.int(0, 20);
    const atMost = entries.filter(({ epoch }) => epoch <= wanted).map(({ epoch }) => epoch);
    assert.is(history.largestAtMost(wanted), Math.max(EPOCH_NONE, ...atMost));
  }
});

test('truncation forgets exactly the epochs that lost all their entries', () => {
  const random = new Prng(12);
  for (let i = 0; i < CASES; i++) {
    const [entries] = randomLogs(random);
    if (entries.length === 0) continue;
    const { to } = random.pick(entries);
    const history = historyOf(entries);
    history.truncateTo(to);
    const kept = historyOf(entries.filter((entry) => comparePositions(entry.to, to) <= 0));
    assert.equal(history.entries, kept.entries);
  }
});

test('two logs meet at the end of their common prefix, a round an epoch at most', () => {
  const random = new Prng(13);
  for (let i = 0; i < CASES; i++) {
    const [leader, follower] = randomLogs(random);
    const leads = historyOf(leader);
    const follows = historyOf(follower);
    let probe = endOf(leader);
    let rounds = 0;
    while (true) {
      const epoch = leads.epochEndingAt(probe);
      const isInside = comparePositions(probe, endOf(follower)) <= 0;
      if (isInside && follows.epochEndingAt(probe) === epoch) break;
      const hint = follows.largestAtMost(epoch);
      const end = hint === EPOCH_NONE ? ORIGIN : follows.endOf(hint, endOf(follower));
      const meeting = leads.meet(hint, end, endOf(leader)) ?? ORIGIN;
      assert.ok(comparePositions(meeting, probe) < 0, 'each round comes closer');
      probe = meeting;
      rounds++;
    }
    assert.equal(probe, commonEnd(leader, follower));
    assert.ok(rounds <= leads.entries.length + 1, `${rounds} rounds`);
  }
});

test.run();
