/**
 * `npm run chaos`: stdout gets one JSON document, stderr the story. Exit code 0 only when every
 * promise held.
 */
import { collect, usage, wholeNumber } from '#src/cli/options.js';
import { CLIENT_NAMES, type ClientName, isClientName, missingClient } from './clients/clients.js';
import { KINDS, KIND_NAMES, choose, kindsNamed } from './faults/registry.js';
import { runChaos, startChaosCluster } from './harness.js';
import { addToLedger } from '../support/ledger.js';
import { longCommand, namesOf, optionsOf } from '../support/long-command.js';

type Options = {
  readonly rounds: number;
  readonly seed: number;
  readonly faults: readonly string[];
  readonly clients: readonly ClientName[];
  readonly writers: number;
  readonly topics: number;
  readonly partitions: number;
  readonly everyMs: number;
  readonly set: readonly string[];
  readonly config: readonly string[];
  readonly ledger: boolean;
};

const ALL = 'all';
const values: Options = optionsOf(
  longCommand('chaos', 'Writes and reads while nodes, links and disks fail, and checks it all.')
    .option('--rounds <n>', 'faults, one after another', wholeNumber('--rounds', 1), 20)
    .option('--seed <s>', 'the plan follows from it', wholeNumber('--seed', 0), 1)
    .option(
      '--faults <list>',
      `of ${KIND_NAMES.join(',')}, or all: those that can run here`,
      namesOf('--faults', [...KIND_NAMES, ALL]),
      ['kill'],
    )
    .option('--clients <list>', `of ${CLIENT_NAMES.join(',')}`, parseClients, ['own'])
    .option('--writers <n>', 'half of them idempotent', wholeNumber('--writers', 1), 8)
    .option('--topics <n>', 'written to', wholeNumber('--topics', 1), 3)
    .option('--partitions <n>', 'of each topic', wholeNumber('--partitions', 1), 6)
    .option('--every-ms <n>', "a writer's pause between batches", wholeNumber('--every-ms', 0), 5)
    .option('--set <key=value>', 'broker setting; repeatable', collect, [])
    .option('--config <key=value>', 'topic config; repeatable', collect, [])
    .option('--ledger', 'adds the result to docs/ledger.jsonl', false),
);

const { clients } = values;
const isAll = values.faults.includes(ALL);
const { kinds, missing } = choose(isAll ? KINDS : kindsNamed(values.faults));
const absent = clients.map(missingClient).filter((reason) => reason !== null);
for (const reason of [...missing, ...absent]) process.stderr.write(`can not run here: ${reason}\n`);
// A kind that was asked for by name, or on a machine that has everything, may not be left out.
const isTooFew = missing.length > 0 && (!isAll || process.env['CI'] === 'true');
const isClientMissing = absent.length > 0 && process.env['CI'] === 'true';
if (isTooFew || isClientMissing || kinds.length === 0) process.exit(1);

// Without a listener a signal would end this process without the clean-up of its exit.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => process.exit(code));
}

// Each kind may have something to remove at the end.
process.setMaxListeners(100);
const cluster = await startChaosCluster(kinds, values.set);
const result = await runChaos(cluster, {
  seed: values.seed,
  rounds: values.rounds,
  faults: kinds,
  topics: values.topics,
  partitions: values.partitions,
  writers: values.writers,
  everyMs: values.everyMs,
  recordsPerBatch: 5,
  settleMs: 5_000,
  clients: clients.filter((name) => missingClient(name) === null),
  topicConfigs: ['retention.ms=-1', 'retention.bytes=-1', ...values.config],
  log: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result)}\n`);
if (values.ledger) addToLedger('chaos', result.ok, result);
process.exitCode = result.ok ? 0 : 1;

function parseClients(text: string): ClientName[] {
  const names = namesOf('--clients', CLIENT_NAMES)(text).filter(isClientName);
  if (names.includes('own')) return names;
  throw usage(`--clients ${text}: "own" must be among them, acknowledgements are timed by it`);
}
