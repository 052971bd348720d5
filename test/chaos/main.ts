/**
 * `npm run chaos -- --rounds 20 --seed 1 [--faults kill,pause]`: stdout gets one JSON document,
 * stderr the story. Exit code 0 only when every promise held.
 */
import { parseArgs } from 'node:util';
import { CLIENT_NAMES, isClientName, missingClient } from './clients/clients.js';
import { KINDS, KIND_NAMES, choose, kindsNamed } from './faults/registry.js';
import { runChaos, startChaosCluster } from './harness.js';
import { addToLedger } from '../support/ledger.js';

const USAGE = `usage: npm run chaos -- [options]
  --rounds N      faults, one after another (20)
  --seed N        the plan follows from it (1)
  --faults LIST   of ${KIND_NAMES.join(',')} (kill),
                  or all: those that can run here
  --clients LIST  of ${CLIENT_NAMES.join(',')} (own)
  --writers N     half of them idempotent (8)
  --topics N      (3), each of --partitions N (6)
  --every-ms N    pause of a writer between batches (5)
  --set K=V       broker setting, may be repeated
  --config K=V    topic config, may be repeated
  --ledger        add the result to docs/ledger.jsonl`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string', default: 'kill' },
    clients: { type: 'string', default: 'own' },
    writers: { type: 'string', default: '8' },
    topics: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '6' },
    'every-ms': { type: 'string', default: '5' },
    set: { type: 'string', multiple: true, default: [] },
    config: { type: 'string', multiple: true, default: [] },
    ledger: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const names = values.faults === 'all' ? KIND_NAMES : values.faults.split(',');
const clientNames = values.clients.split(',');
const clients = clientNames.filter(isClientName);
const isUsable =
  names.every((name) => KIND_NAMES.includes(name)) &&
  clients.length === clientNames.length &&
  // Acks are measured by our own writers.
  clients.includes('own');
if (values.help || !isUsable) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 2);
}
const { kinds, missing } = choose(values.faults === 'all' ? KINDS : kindsNamed(names));
const absent = clients.map(missingClient).filter((reason) => reason !== null);
for (const reason of [...missing, ...absent]) process.stderr.write(`can not run here: ${reason}\n`);
// A kind that was asked for by name, or on a machine that has everything, may not be left out.
const isTooFew = missing.length > 0 && (values.faults !== 'all' || process.env['CI'] === 'true');
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
  seed: Number(values.seed),
  rounds: Number(values.rounds),
  faults: kinds,
  topics: Number(values.topics),
  partitions: Number(values.partitions),
  writers: Number(values.writers),
  everyMs: Number(values['every-ms']),
  recordsPerBatch: 5,
  settleMs: 5_000,
  clients: clients.filter((name) => missingClient(name) === null),
  topicConfigs: ['retention.ms=-1', 'retention.bytes=-1', ...values.config],
  log: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result)}\n`);
if (values.ledger) addToLedger('chaos', result.ok, result);
process.exitCode = result.ok ? 0 : 1;
