/**
 * `npm run chaos -- --rounds 20 --seed 1 [--faults kill,pause]`: stdout gets one JSON document,
 * stderr the story. Exit code 0 only when every promise held.
 */
import { parseArgs } from 'node:util';
import { TestCluster } from '../support/cluster.js';
import { FAULT_KINDS, type FaultKind } from './faults.js';
import { CHAOS_SETTINGS, runChaos } from './harness.js';

const USAGE = `usage: npm run chaos -- [options]
  --rounds N      faults, one after another (20)
  --seed N        the plan follows from it (1)
  --faults LIST   of ${FAULT_KINDS.join(',')} (kill)
  --writers N     half of them idempotent (8)
  --topics N      (3), each of --partitions N (6)
  --every-ms N    pause of a writer between batches (5)
  --set K=V       broker setting, may be repeated
  --config K=V    topic config, may be repeated`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string', default: 'kill' },
    writers: { type: 'string', default: '8' },
    topics: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '6' },
    'every-ms': { type: 'string', default: '5' },
    set: { type: 'string', multiple: true, default: [] },
    config: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});

const faults = values.faults.split(',').filter(isFaultKind);
const isUsable = faults.length === values.faults.split(',').length;
if (values.help || !isUsable) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 2);
}

const cluster = await TestCluster.start({ settings: [...CHAOS_SETTINGS, ...values.set] });
const result = await runChaos(cluster, {
  seed: Number(values.seed),
  rounds: Number(values.rounds),
  faults,
  topics: Number(values.topics),
  partitions: Number(values.partitions),
  writers: Number(values.writers),
  everyMs: Number(values['every-ms']),
  recordsPerBatch: 5,
  settleMs: 5_000,
  topicConfigs: ['retention.ms=-1', 'retention.bytes=-1', ...values.config],
  log: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = result.ok ? 0 : 1;

function isFaultKind(text: string): text is FaultKind {
  return (FAULT_KINDS as readonly string[]).includes(text);
}
