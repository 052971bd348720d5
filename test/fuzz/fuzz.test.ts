/**
 * A bounded round of every fuzz target, so that a target which no longer builds, a decoder that
 * lost its promise and a fuzzer that cannot fail are seen in the default tests. The long run is
 * `npm run fuzz`. Compiling takes most of the time, and a busy machine many times that: time
 * limit: 300 s.
 */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';
import { corpusOf } from './corpus.js';
import { guarded } from './guard.js';
import { damaged } from './mutate.js';
import { buildNative, missingForNative, NATIVE_TARGETS } from './run-native.js';
import { repeatNative, runNative } from './run-native.js';
import { runProperty } from './run-property.js';
import { TARGETS } from './targets.js';

const RUNS = 30;
const NATIVE_RUNS = 2_000;
const budget = { seed: 1, seconds: 60, path: null };

test('every TypeScript target, a few inputs each', () => {
  for (const { name, property, runsPerSeed } of TARGETS) {
    const numRuns = Math.min(RUNS, runsPerSeed);
    const details = fc.check(property(), { seed: 7, numRuns }) as fc.RunDetails<unknown>;
    assert.not.ok(details.failed, `${name}: ${fc.defaultReportMessage(details)}`);
    assert.is(details.numRuns, numRuns, name);
  }
});

test('a target on its thread counts its inputs', async () => {
  const report = await runProperty('retention', { ...budget, runs: 450 });
  assert.is(report.failure, null);
  assert.is(report.inputs, 450);
});

test('a planted fault is found, and its path repeats it', async () => {
  const { failure } = await runProperty('planted', { ...budget, runs: 1e6 });
  const found = /^--target planted --seed (\d+) --path (\S+)$/.exec(failure?.repeat ?? '');
  assert.ok(found);
  const [, seed, path] = found as unknown as [string, string, string];
  const again = await runProperty('planted', { ...budget, runs: 1, seed: Number(seed), path });
  assert.match(again.failure?.story ?? '', /planted/);
  assert.match(again.failure?.story ?? '', /input: \[1000\]/, 'shrunk to the least');
});

test('no two targets have one name', () => {
  const names = [...TARGETS.map(({ name }) => name), ...Object.keys(NATIVE_TARGETS)];
  assert.is(new Set(names).size, names.length);
});

test('the guard sees what is thrown, what is allocated and what takes long', () => {
  const isRange = (error: unknown): boolean => error instanceof RangeError;
  const fault = (): never => {
    throw new RangeError('x');
  };
  assert.ok('error' in guarded(8, isRange, fault));
  assert.throws(() => guarded(8, () => false, fault), /x/);
  const promised = (): unknown => Buffer.alloc(64 << 20);
  assert.throws(() => guarded(8, isRange, promised), /bytes allocated/);
  const failing = (): never => {
    new Array<number>(8 << 20).fill(0);
    return fault();
  };
  assert.throws(() => guarded(8, isRange, failing), /bytes allocated/);
  const slow = (): void => {
    const startMs = process.cpuUsage().user;
    while (process.cpuUsage().user - startMs < 700_000) continue;
  };
  assert.throws(() => guarded(8, isRange, slow), /processor time/);
});

test('damage changes bytes and never its original', () => {
  const original = Buffer.from('0123456789');
  const copy = Buffer.from(original);
  assert.is(damaged(original, [{ kind: 'cut', at: 5_000 }]).toString(), '01234');
  assert.is(damaged(original, [{ kind: 'flip', at: 0, bit: 0 }]).toString(), '1123456789');
  assert.is(damaged(original, [{ kind: 'remove', at: 0, length: 3 }]).toString(), '3456789');
  assert.ok(original.equals(copy));
});

let built: Promise<string> | null = null;

/** Compiled once; it takes longer than all the rest. */
function program(): Promise<string> {
  built ??= buildNative(tempDir('fuzz'));
  return built;
}

const native = testWith(missingForNative());

native('every C++ target, two thousand inputs each', async () => {
  const binary = await program();
  for (const name of Object.keys(NATIVE_TARGETS)) {
    const report = await runNative(binary, name, { seed: 1, seconds: 60, runs: NATIVE_RUNS });
    assert.is(report.failure, null, `${name}: ${report.failure?.story}`);
    assert.ok(report.inputs >= NATIVE_RUNS, `${name}: ${report.inputs} inputs`);
    const [first] = corpusOf(name);
    assert.is(await repeatNative(binary, name, first as Buffer), null);
  }
});

native('a planted overflow is found, and comes back with its bytes', async () => {
  const binary = await program();
  const { failure } = await runNative(binary, 'planted', { seed: 1, seconds: 60, runs: 1e6 });
  assert.match(failure?.story ?? '', /heap-buffer-overflow/);
  const input = /^--target planted --input '([A-Za-z0-9+/=]+)'$/.exec(failure?.repeat ?? '')?.[1];
  assert.ok(input);
  const again = await repeatNative(binary, 'planted', Buffer.from(input, 'base64'));
  assert.match(again?.story ?? '', /heap-buffer-overflow/);
});

test.run();
