/**
 * `npm run fuzz`: every target for its share of the time, C++ under libFuzzer and TypeScript under
 * fast-check, one after the other on one core. Prints the inputs of each target and one document
 * with the sums; a finding is printed with the command that repeats it, and the exit code is 1.
 */
import { rmSync } from 'node:fs';
import { wholeNumber } from '#src/cli/options.js';
import { addToLedger } from '../support/ledger.js';
import { longCommand, namesOf, optionsOf } from '../support/long-command.js';
import { tempDir } from '../support/temp-dir.js';
import type { FuzzReport } from './fuzz-target.js';
import { buildNative, missingForNative, NATIVE_TARGETS } from './run-native.js';
import { repeatNative, runNative, stopNative } from './run-native.js';
import { runProperty } from './run-property.js';
import { TARGETS } from './targets.js';

/** Of the whole time; C++ inputs are cheap, and there are a hundred times as many wanted. */
const NATIVE_SHARE = 0.6;
const SEED_MAX = 999_999_999;

type Options = {
  readonly seconds: number;
  readonly seed: number;
  readonly target: readonly string[];
  readonly runs?: number;
  readonly path?: string;
  readonly input?: string;
  readonly list: boolean;
  readonly ledger: boolean;
};

const properties = TARGETS.map(({ name }) => name);
const natives = Object.keys(NATIVE_TARGETS);
const known = [...properties, ...natives, 'native', 'properties'];
const parseTarget = namesOf('--target', known);

const values: Options = optionsOf(
  longCommand('fuzz', 'Feeds every parser and state machine with inputs nobody would send.')
    .option('--seconds <n>', 'for all targets together', wholeNumber('--seconds', 1), 60)
    .option('--seed <s>', 'of the inputs', wholeNumber('--seed', 0, SEED_MAX), 1)
    .option(
      '--target <name>',
      'only this one; repeatable. "native" and "properties" name all of a kind',
      (text: string, before: readonly string[]) => [...before, ...parseTarget(text)],
      [],
    )
    .option('--runs <n>', 'inputs per target at most', wholeNumber('--runs', 1))
    .option('--path <p>', 'one input of a TypeScript target, as printed with a finding')
    .option('--input <base64>', 'one input of a C++ target, as printed with a finding')
    .option('--list', 'names of all targets', false)
    .option('--ledger', 'adds the result to docs/ledger.jsonl', false),
);

if (values.list) {
  process.stdout.write(`${[...natives, ...properties].join('\n')}\n`);
  process.exit(0);
}

const folder = tempDir('fuzz');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    stopNative();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    process.exit(130);
  });
}

const { seed } = values;
const runs = values.runs ?? Number.POSITIVE_INFINITY;
const chosenNatives = natives.filter((name) => isChosen(name, 'native'));
const chosenProperties = properties.filter((name) => isChosen(name, 'properties'));
const startMs = performance.now();
const reports = [...(await fuzzNative()), ...(await fuzzProperties())];
summarise();

function isChosen(name: string, kind: string): boolean {
  const { target } = values;
  return target.length === 0 || target.includes(name) || target.includes(kind);
}

async function fuzzNative(): Promise<FuzzReport[]> {
  if (chosenNatives.length === 0) return [];
  const missing = missingForNative();
  if (missing !== null) {
    say(`# skip: C++ targets: ${missing}`);
    if (process.env['CI'] === 'true') process.exitCode = 1;
    return [];
  }
  const program = await buildNative(folder);
  if (values.input !== undefined) return repeatOne(program, values.input);
  const share = chosenProperties.length === 0 ? 1 : NATIVE_SHARE;
  const weights = chosenNatives.map((name) => NATIVE_TARGETS[name] as number);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const done: FuzzReport[] = [];
  for (const [i, name] of chosenNatives.entries()) {
    const seconds = (values.seconds * share * (weights[i] as number)) / sum;
    done.push(report(await runNative(program, name, { seed, seconds, runs })));
  }
  return done;
}

async function repeatOne(program: string, input: string): Promise<FuzzReport[]> {
  const [name] = chosenNatives as [string];
  const failure = await repeatNative(program, name, Buffer.from(input, 'base64'));
  return [report({ target: name, inputs: 1, seconds: 0, failure })];
}

/** What the C++ targets did not use belongs to these, evenly. */
async function fuzzProperties(): Promise<FuzzReport[]> {
  const done: FuzzReport[] = [];
  for (const [i, name] of chosenProperties.entries()) {
    const left = values.seconds - (performance.now() - startMs) / 1000;
    const seconds = Math.max(0, left) / (chosenProperties.length - i);
    const path = values.path ?? null;
    done.push(report(await runProperty(name, { seed, seconds, runs, path })));
  }
  return done;
}

function report(one: FuzzReport): FuzzReport {
  const { target, inputs, seconds, failure } = one;
  const rate = seconds > 0 ? Math.round(inputs / seconds) : 0;
  const verdict = failure === null ? 'ok  ' : 'FAIL';
  say(`${verdict} ${target.padEnd(20)} ${String(inputs).padStart(11)} inputs ${rate}/s`);
  if (failure !== null) say(`${failure.story}\nrepeat: npm run fuzz -- ${failure.repeat}\n`);
  return one;
}

function summarise(): void {
  const count = (names: readonly string[]): number =>
    reports.reduce((sum, { target, inputs }) => sum + (names.includes(target) ? inputs : 0), 0);
  const spent = (names: readonly string[]): number =>
    reports.reduce((sum, { target, seconds }) => sum + (names.includes(target) ? seconds : 0), 0);
  const findings = reports.filter(({ failure }) => failure !== null).length;
  const parts = { native: natives, properties };
  const sums = Object.entries(parts).map(([name, names]) => [
    name,
    { inputs: count(names), seconds: Math.round(spent(names)) },
  ]);
  const result = { seed, ...Object.fromEntries(sums), findings };
  say(JSON.stringify(result));
  if (values.ledger) addToLedger('fuzz', findings === 0, result);
  if (findings > 0) process.exitCode = 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
