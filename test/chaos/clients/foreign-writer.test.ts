/**
 * A client in another process, played by a few lines of script: what it says was delivered is
 * acknowledged, what it gave up on or died with is unknown, and a refused sequence is told of.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { waitFor } from '../../support/wait-for.js';
import { History } from '../history/history.js';
import { tagValue } from '../tag.js';
import { fateOfKcat, fateOfLine } from './clients.js';
import { ForeignWriter } from './foreign-writer.js';
import type { Command } from './program.js';

const NAME = { topic: 'orders', partition: 0 };

/** Answers each line as `answer` (an expression in `value` and `n`) says; null says nothing. */
function client(answer: string): Command {
  const script = `
    let n = 0;
    require('node:readline').createInterface({ input: process.stdin })
      .on('line', (value) => { const said = (${answer}); n++; if (said) console.log(said); })
      .on('close', () => process.exit(0));`;
  return [process.execPath, '-e', script];
}

/** Lets the client write for a while; returns what it said and the history. */
async function write(command: Command, isEnough: (history: History) => boolean) {
  const history = new History();
  const said: string[] = [];
  const writer = new ForeignWriter({
    name: 'played',
    writer: 1,
    command,
    names: [NAME],
    history,
    random: new Prng(1),
    order: (_, value) => value,
    fateOf: fateOfLine,
    log: (line) => said.push(line),
  });
  const run = writer.run();
  await waitFor('enough answers', () => isEnough(history), { timeoutMs: 20_000 });
  writer.stop();
  await run;
  return { history, said: said.join() };
}

const count = (history: History, kind: 'sent' | 'acked' | 'unknown'): number =>
  history.counts.get(kind) ?? 0;

/** As if nothing of what was sent were in the log. */
const idsOf = (history: History): string[] => [
  ...new Set(history.verdict().violations.map(({ id }) => id)),
];

test('what was acknowledged must be there, what failed need not be', async () => {
  const answer = "n % 2 ? 'failed ' + value + ' timed out' : 'acked ' + value + ' ' + n";
  const { history } = await write(client(answer), (h) => count(h, 'unknown') >= 3);
  assert.is(count(history, 'acked') + count(history, 'unknown'), count(history, 'sent'));
  assert.ok(count(history, 'acked') >= 3);
  const lost = history.verdict().violations;
  assert.equal([...new Set(lost.map(({ id }) => id))], ['K1']);
  assert.is(lost.length, count(history, 'acked'));
});

test('what a client died with is unknown, and the next one goes on', async () => {
  const answer = "n === 3 ? process.exit(1) : n % 3 === 0 ? 'acked ' + value + ' 7' : null";
  const { history, said } = await write(client(answer), (h) => count(h, 'acked') >= 3);
  assert.match(said, /died [1-9]/);
  assert.ok(count(history, 'unknown') >= 3, `${count(history, 'unknown')} are unknown`);
  assert.is(count(history, 'acked') + count(history, 'unknown'), count(history, 'sent'));
});

test('a refused sequence is a broken promise', async () => {
  const answer =
    "n ? 'failed ' + value + ' OutOfOrderSequenceException' : 'acked ' + value + ' -1'";
  const { history } = await write(client(answer), (h) => count(h, 'unknown') >= 1);
  history.note({
    kind: 'record',
    partition: 'orders:0',
    offset: 0,
    value: tagValue({ writer: 1, batch: 0, index: 0 }),
    isFinal: true,
  });
  assert.equal(idsOf(history), ['P1']);
});

test('what the clients say', () => {
  assert.equal(fateOfKcat('% Message delivered to partition 3 (offset 17) on broker 2'), {
    kind: 'acked',
    value: null,
    offset: 17,
  });
  const failed = fateOfKcat('% Delivery failed for message: Local: Message timed out');
  assert.is(failed?.kind, 'failed');
  assert.is(fateOfKcat('%3|1700000000.1|FAIL|rdkafka#producer-1| connection refused'), null);
  assert.equal(fateOfLine('acked w1.b2.r0. 5'), { kind: 'acked', value: 'w1.b2.r0.', offset: 5 });
  assert.is(fateOfLine('ready'), null);
});

test.run();
