/** What the command line of the bench asks for, and which runs are good enough to be kept. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type Options = {
  readonly isKept: boolean;
  readonly isHttp: boolean;
  readonly workloads: readonly { readonly key: string }[];
  readonly size: { readonly rounds: number; readonly measureMs: number };
};

// The bench is a TypeScript project of its own, which the tests do not compile against.
const { readOptions } = (await import(new URL('../../bench/options.js', import.meta.url).href)) as {
  readOptions(args: readonly string[]): Options;
};

const keysOf = (...args: readonly string[]) => readOptions(args).workloads.map(({ key }) => key);

test('workloads by id, by variant, and by the goal that they serve', () => {
  assert.equal(keysOf('W3'), ['W3-16x1', 'W3-100x5']);
  assert.equal(keysOf('W4-64', '--workload', 'W9'), ['W9', 'W4-64']);
  assert.equal(keysOf('W12'), keysOf('W2'));
  assert.equal(keysOf('W10'), []);
  assert.ok(keysOf().length > keysOf('W3').length);
});

test('only whole runs are kept', () => {
  for (const args of [[], ['--full'], ['W3', 'W4'], ['W10'], ['--rounds', '5']]) {
    assert.ok(readOptions(args).isKept, args.join(' '));
  }
  for (const args of [
    ['--smoke'],
    ['--alone'],
    ['--rounds', '1'],
    ['--seconds', '60'],
    ['W4-64'],
    ['W10', '--smoke'],
    ['W10', '--rounds', '2'],
  ]) {
    assert.not.ok(readOptions(args).isKept, args.join(' '));
  }
});

test('sizes', () => {
  const { size } = readOptions(['--rounds', '2', '--seconds', '3']);
  assert.equal([size.rounds, size.measureMs], [2, 3_000]);
});

test('what makes no sense is refused', () => {
  for (const [args, message] of [
    [['W77'], /no workload W77/],
    [['W3-17'], /no workload W3-17/],
    [['W10', 'W3'], /W10 runs by itself/],
    [['W10', '--seconds', '1'], /W10 has its own times/],
    [['--rounds', '0'], /--rounds is a count/],
    [['--seconds', 'x'], /--seconds is a count/],
    [['--smoke', '--full'], /not both/],
    [['--format', 'xml'], /table or json/],
  ] as const) {
    assert.throws(() => readOptions(args), message);
  }
});

test.run();
