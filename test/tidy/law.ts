/**
 * The law of the code base as data: which room may import which, which words are banned where and
 * what to write instead, and the files that may be long. A pure table; tidy.test.ts applies it.
 */

/** Room → rooms it may import from besides its own. */
export const IMPORT_LAW: Readonly<Record<string, readonly string[]>> = {
  base: [],
  observability: ['base'],
  protocol: ['base'],
  raft: ['base'],
  records: ['base'],
  native: ['base', 'observability'],
  log: ['base', 'native', 'records', 'observability'],
  replication: ['raft', 'log', 'native', 'records', 'base', 'observability'],
  // native: one call looks at all bytes of a batch before it is appended.
  partition: ['replication', 'raft', 'log', 'native', 'records', 'base', 'observability'],
  control: ['raft', 'replication', 'partition', 'base', 'observability'],
  groups: ['partition', 'records', 'base', 'observability'],
  pool: ['log', 'records', 'base', 'observability'],
  handlers: ['protocol', 'partition', 'control', 'groups', 'records', 'base', 'observability'],
  gateway: ['protocol', 'handlers', 'native', 'base', 'observability'],
  broker: ['*'],
  cli: ['broker', 'protocol', 'records', 'log', 'pool', 'base', 'observability'],
};

/** Of the control plane a handler sees the image and what goes with it, not the machinery. */
export const HANDLERS_SEE_OF_CONTROL =
  /^src\/control\/(image|leader-table|operations|topic-config|limits)/;

/** Decisions only: the simulator owns their clock, their randomness and their disk. */
export const PURE =
  /^src\/((raft|records|protocol)\/|control\/placement|log\/retention\.|groups\/.*state)/;

/** node: modules that do no I/O and know no time. */
export const PURE_MODULES = new Set(['node:buffer', 'node:util']);

export type Ban = {
  readonly pattern: RegExp;
  /** Files in which the words are banned. */
  readonly within: RegExp;
  /** Files among them that may use the words: the home of the replacement. */
  readonly except?: RegExp;
  /** Looks at comments and literals, too. */
  readonly seesComments?: boolean;
  readonly instead: string;
};

export const BANS: readonly Ban[] = [
  {
    pattern: /\bMath\.random\b/g,
    within: /^src\//,
    instead: 'a Prng given from outside (base/prng.ts), so that a run repeats from its seed',
  },
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bprocess\.hrtime\b/g,
    within: /^src\//,
    except: /^src\/(cli|observability)\/|^src\/base\/clock\.ts$/,
    instead: 'a Clock given from outside (base/clock.ts)',
  },
  {
    pattern: /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/g,
    within: PURE,
    instead: 'tick() and the Clock of whoever drives this',
  },
  {
    pattern: /\b(async|await|Promise)\b/g,
    within: /^src\/raft\//,
    instead: 'a Ready that says what to do next; Raft is a value',
  },
  { pattern: /\bprocess\./g, within: PURE, instead: 'an argument' },
  {
    pattern: /\bprocess\.exit\b/g,
    within: /^src\//,
    except: /^src\/cli\//,
    instead: 'an error for the caller; only a command ends the process',
  },
  {
    pattern: /\bprocess\.env\b/g,
    within: /^src\//,
    except: /^src\/(cli|broker|observability)\//,
    instead: 'a setting (broker/settings.ts)',
  },
  {
    pattern: /\beval\(|\bnew Function\(/g,
    within: /^/,
    instead: 'code',
  },
  {
    pattern: /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/g,
    within: /^/,
    seesComments: true,
    instead: 'a sentence inside that says why this error does not matter',
  },
  {
    pattern: /\btest\.only\b|\.only\(/g,
    within: /^test\//,
    instead: 'npm test -- WORD: an only that is committed hides every other test',
  },
];

/** Where files may be opened: everything else goes through log/disk.ts, which can be simulated. */
export const MAY_IMPORT_FS = /^src\/((cli|broker|native|observability)\/|log\/(node-)?disk\.ts$)/;

export const FILE_LINES_MAX = 600;
/** A file above this needs a line in {@link LONG_FILES}. */
export const FILE_LINES_AIM = 400;
export const COLUMNS_MAX = 100;

/** Long for a reason: path → lines it may have. */
export const LONG_FILES: Readonly<Record<string, number>> = {
  // The composition root names every room once.
  'src/broker/broker.ts': 530,
  // One writer, one noun: what it keeps together is the log's only mutable state.
  'src/log/partition-log.ts': 460,
  // A file and its two indexes grow and are cut together.
  'src/log/segment.ts': 430,
  // Every verb of a disk, most of them a line.
  'src/log/write-behind.ts': 420,
  // The driver's every verb, each a few lines.
  'src/replication/replica.ts': 410,
  'src/control/control-plane.ts': 450,
  // Composes what a shard's partitions share.
  'src/partition/shard.ts': 420,
  // A simulated process: all that begins and ends with one.
  'test/sim/sim-node.ts': 410,
  // One verb for every request of a group.
  'src/groups/coordinator.ts': 410,
  // Composes a shard's rooms around one loop.
  'src/broker/shard-thread.ts': 445,
};

/** Files that something other than an import starts. */
export const ENTRY_POINTS = /^src\/cli\/main\.ts$|\.test\.ts$|^test\/run\.ts$|\/main\.ts$/;

/** What may lie at the top of the repository, besides dot files and what git ignores. */
export const TOP_LEVEL = new Set([
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'binding.gyp',
  'cluster.yml',
  'native',
  'src',
  'test',
  'bench',
  'examples',
  'docs',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
]);
export const IGNORED_TOP_LEVEL = new Set(['node_modules', 'dist', 'build', 'data']);
