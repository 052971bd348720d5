/** The demo's judge must see every kind of broken promise, or it is none. */
import {
  decodeJournal,
  encodeJournal,
  type JournalEntry,
  judgePartition,
  valueOf,
} from '#src/cli/demo/journal.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const JOURNAL: JournalEntry[] = [0, 1, 2].map((n) => ({ partition: 1, offset: n + 10, number: n }));

function read(): Map<number, string> {
  return new Map(JOURNAL.map(({ offset, number }) => [offset, valueOf(1, number)]));
}

function judge(values: ReadonlyMap<number, string>, journal = JOURNAL) {
  const { lost, changed, duplicated } = judgePartition(1, journal, values);
  return { lost, changed, duplicated };
}

test('everything there is no fault, nor is a record whose answer got lost', () => {
  assert.equal(judge(read()), { lost: 0, changed: 0, duplicated: 0 });
  assert.equal(judge(read().set(13, valueOf(1, 3))), { lost: 0, changed: 0, duplicated: 0 });
});

test('a missing record is lost', () => {
  const values = read();
  values.delete(11);
  assert.equal(judge(values), { lost: 1, changed: 0, duplicated: 0 });
});

test('one changed byte is seen', () => {
  const value = valueOf(1, 1);
  const values = read().set(11, `${value.slice(0, -1)}!`);
  assert.equal(judge(values), { lost: 1, changed: 1, duplicated: 0 });
});

test('a record at another offset than the acknowledged one is a change', () => {
  const values = new Map([...read()].map(([offset, value]) => [offset + 1, value]));
  assert.is(judge(values).changed, 3);
});

test('a record that is there twice is a duplicate', () => {
  assert.equal(judge(read().set(20, valueOf(1, 2))), { lost: 0, changed: 0, duplicated: 1 });
});

test('a confirmation without an offset only asks that the record is there', () => {
  const journal = JOURNAL.map((entry) => ({ ...entry, offset: -1 }));
  assert.equal(judge(read(), journal), { lost: 0, changed: 0, duplicated: 0 });
});

test('the journal survives its file', () => {
  assert.equal(decodeJournal(encodeJournal(JOURNAL)), JOURNAL);
});

test.run();
