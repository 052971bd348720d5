/**
 * Bits that flip in a node's files: in one that was killed, in one that was stopped in good order
 * (so that nothing is scanned at first), and in one that runs. Segments are repaired by the peers,
 * indexes and checkpoints rebuilt or given up; a write-ahead log that is damaged where it had been
 * synced may refuse to start, by its name, since votes are lost. The proof is the node's own word:
 * it must report every partition whose segment was hit.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Prng } from '#src/base/prng.js';
import { TICK_MS } from '#src/broker/knobs.js';
import { stateOf } from '#src/broker/processes.js';
import { SCRUB_TICK_BYTES } from '#src/partition/scrubber.js';
import type { TestCluster } from '../../support/cluster.js';
import { signalQuietly } from '../../support/command.js';
import { waitInSync } from '../../support/in-sync.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import { type Fault, type FaultKind, pickNodes, planHold } from './fault.js';

/** How the node is when its bits flip. */
const STATES = ['killed', 'stopped', 'running'] as const;
type State = (typeof STATES)[number];

type RotFault = Fault & {
  readonly state: State;
  /** Which bits of which files follows from it, and from what is there. */
  readonly seed: number;
  readonly flips: number;
};

type Flip = { readonly path: string; readonly position: number; readonly mask: number };

/** Beside what the scrub takes to come by: the pass under way, and the one that finds it. */
const FOUND_MS = 60_000;
const SCRUB_BYTES_PER_MS = SCRUB_TICK_BYTES / TICK_MS;
const GONE_MS = 20_000;
const FLIPS_MAX = 5;
/** How often a pass of the scrub begins, for what rots in a running node. */
const SCRUB_MS = 1_000;

const SEGMENT = /^([^/]+)-(\d+)\/\d{20}\.log$/;
const INTERNAL = /^__/;
const RUNNING_FILES: readonly RegExp[] = [SEGMENT, SEGMENT, /\/\d{20}\.(index|timeindex)$/];
const STOPPED_FILES: readonly RegExp[] = [
  ...RUNNING_FILES,
  /\.wal$/,
  /\/(leader-epoch-checkpoint|replica-state|partition\.metadata)$/,
  /^__cluster_metadata-0\/[^.]/,
];

const found = new WeakMap<TestCluster, number>();

export const bitflip: FaultKind<RotFault> = {
  kind: 'bitflip',
  settings: [`log.scrub.interval.ms=${SCRUB_MS}`],
  mayServeDamage: true,
  availability: () => null,
  plan(random, nodeIds) {
    const state = random.pick(STATES);
    const flips = random.int(1, FLIPS_MAX + 1);
    return {
      kind: 'bitflip',
      nodes: pickNodes(random, nodeIds, 1),
      holdMs: planHold(random),
      isMajorityLost: false,
      state,
      seed: random.int(0, 2 ** 31),
      flips,
      detail: ` (${state}, ${flips} flips)`,
    };
  },
  async apply(cluster, fault, onHit) {
    const [node] = fault.nodes as [number];
    // Two copies of one batch may not rot before the first is repaired.
    await waitInSync(cluster, 'all');
    const directory = join(cluster.dataDir, `node-${node}`);
    const logStart = statSync(join(directory, 'lograft.log')).size;
    if (fault.state !== 'running') await end(cluster, node, fault.state);
    const flips = flipFiles(directory, fault);
    onHit();
    await sleep(fault.holdMs);
    if (fault.state !== 'running') await start(cluster, node, flips);
    const damaged = new Set(flips.flatMap(({ path }) => partitionOf(directory, path)));
    const log = join(directory, 'lograft.log');
    const isFound = (): boolean => isSubset(damaged, reportedIn(log, logStart));
    try {
      await waitFor(`damage to be found in ${[...damaged].join(', ')}`, isFound, {
        timeoutMs: FOUND_MS + (2 * segmentBytes(directory)) / SCRUB_BYTES_PER_MS,
      });
    } catch (error) {
      const places = flips.map(({ path, position }) => `${path}@${position}`).join(', ');
      throw new Error(`node ${node} (${fault.state}), flipped ${places}`, { cause: error });
    }
    found.set(cluster, (found.get(cluster) ?? 0) + damaged.size);
  },
  proof: 'damaged partitions that the node found itself',
  proofs: (cluster) => found.get(cluster) ?? 0,
};

/** Of all partitions of a node. */
function segmentBytes(directory: string): number {
  const names = filesUnder(directory).filter((name) => SEGMENT.test(name));
  const sizeOf = (name: string): number =>
    statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  return names.reduce((sum, name) => sum + sizeOf(name), 0);
}

async function end(cluster: TestCluster, node: number, state: State): Promise<void> {
  const victim = cluster.process(node);
  signalQuietly(victim.pid, state === 'killed' ? 'SIGKILL' : 'SIGTERM');
  const isGone = (): boolean => stateOf(victim) === 'gone';
  await waitFor(`node ${node} to end`, isGone, { timeoutMs: GONE_MS, everyMs: 10 });
}

/** A damaged write-ahead log may refuse, by name; with its bits in place again it may not. */
async function start(cluster: TestCluster, node: number, flips: readonly Flip[]): Promise<void> {
  try {
    await cluster.startNode(node);
  } catch (error) {
    const inWal = flips.filter(({ path }) => path.endsWith('.wal'));
    const isNamed = inWal.some(({ path }) => String(error).includes(path));
    if (!isNamed || !/write-ahead log .* is damaged/.test(String(error))) throw error;
    for (const flip of inWal) turn(flip);
    await cluster.startNode(node);
  }
}

/** The first hits a segment that holds something, so that there is always something to find. */
function flipFiles(directory: string, { seed, flips, state }: RotFault): Flip[] {
  const random = new Prng(seed);
  const wanted = state === 'running' ? RUNNING_FILES : STOPPED_FILES;
  const files = filesUnder(directory);
  const done: Flip[] = [];
  for (let i = 0; i < flips; i++) {
    const pattern = i === 0 ? SEGMENT : random.pick(wanted);
    const matching = files.filter((name) => pattern.test(name) && mayRot(name, state));
    if (matching.length === 0) continue;
    const path = join(directory, random.pick(matching));
    const { size } = statSync(path);
    // Twice the same bit would be no flip.
    const position = random.int(0, size);
    if (done.some((flip) => flip.path === path && flip.position === position)) continue;
    const flip = { path, position, mask: 1 << random.int(0, 8) };
    turn(flip);
    done.push(flip);
  }
  return done;
}

/** The metadata log of a running node is only looked at when it starts. */
function mayRot(name: string, state: State): boolean {
  return state !== 'running' || !INTERNAL.test(name);
}

function turn({ path, position, mask }: Flip): void {
  const fd = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, position);
    byte.writeUInt8(byte.readUInt8(0) ^ mask);
    writeSync(fd, byte, 0, 1, position);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => {
      const found = statSync(join(directory, name), { throwIfNoEntry: false });
      return found?.isFile() === true && found.size > 0;
    })
    .sort();
}

/** `topic-partition` of a segment; nothing for another file. */
function partitionOf(directory: string, path: string): string[] {
  const match = SEGMENT.exec(path.slice(directory.length + 1));
  return match === null ? [] : [`${match[1]}-${match[2]}`];
}

type Line = { readonly msg?: string; readonly topic?: string; readonly partition?: number };

const REPORTS = new Set(['damaged bytes in the log', 'log recovered', 'metadata log recovered']);

/** Partitions whose damage the node has told since its log was this long. */
function reportedIn(log: string, from: number): Set<string> {
  const lines = readFileSync(log).subarray(from).toString('utf8').split('\n');
  const reported = new Set<string>();
  for (const line of lines) {
    if (!line.startsWith('{') || !line.endsWith('}')) continue;
    const { msg = '', topic = '__cluster_metadata', partition = 0 } = JSON.parse(line) as Line;
    if (REPORTS.has(msg)) reported.add(`${topic}-${partition}`);
  }
  return reported;
}

function isSubset(wanted: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...wanted].every((name) => all.has(name));
}
