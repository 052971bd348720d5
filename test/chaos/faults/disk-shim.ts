/**
 * The test's end of shim/disk_shim.c: orders for one node's disk, and the counters that prove they
 * were carried out. Both sides share a small file; an order works from the next system call on.
 */
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { compileC, missingCompiler } from '../../support/compile-c.js';
import { tempDir } from '../../support/temp-dir.js';

const SLOTS = 32;
const SLOT_WORDS = 64;
const WORD_BYTES = 8;

const ORDERS = [
  'syncEio',
  'writeEio',
  'shortWrites',
  'tornWrites',
  'syncDelayMs',
  'writeDelayMs',
  'kinds',
  'skip',
] as const;
type OrderName = (typeof ORDERS)[number];

const COUNTERS_AT = 16;
const COUNTERS = [
  'syncs',
  'writes',
  'syncEio',
  'writeEio',
  'shortWrites',
  'tornWrites',
  'delays',
  /** Syncs of a file whose sync had failed before in the same process. */
  'syncAgain',
  'bytesWithheld',
] as const;
export type ShimCounters = Readonly<Record<(typeof COUNTERS)[number], number>>;

/** Which files an order is for. */
const FILE_KINDS = { wal: 1, segment: 2, other: 4, any: 7 } as const;
export type FileKind = keyof typeof FILE_KINDS;

/** How often each, {@link ALWAYS} for every time; delays in milliseconds, each time. */
export type ShimOrders = Partial<Readonly<Record<Exclude<OrderName, 'kinds'>, number>>> & {
  readonly files?: FileKind;
};

export const ALWAYS = -1;

export class DiskShim {
  readonly #control: number;
  readonly #library: string;
  readonly #path: string;
  readonly #root: string;

  /** Null when the shim can work here, else the reason. */
  static missing(): string | null {
    if (process.platform !== 'linux') return 'preloading as we do it is Linux only';
    return missingCompiler();
  }

  /** For the nodes below `root`, which is their `--data`. */
  constructor(root: string) {
    const folder = tempDir('disk-shim');
    this.#root = root;
    this.#library = compileC('chaos/shim/disk_shim.c', 'library');
    this.#path = join(folder, 'control');
    mkdirSync(folder, { recursive: true });
    writeFileSync(this.#path, Buffer.alloc(SLOTS * SLOT_WORDS * WORD_BYTES));
    this.#control = openSync(this.#path, 'r+');
  }

  /** What a node's environment must hold for the shim to stand in its way. */
  get environment(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.#library,
      DISK_SHIM_ROOT: this.#root,
      DISK_SHIM_CONTROL: this.#path,
    };
  }

  /** Replaces what was ordered before. Nodes that do not run yet will find it, too. */
  order(node: number, orders: ShimOrders): void {
    const { files = 'any', ...numbers } = orders;
    const words = Buffer.alloc(ORDERS.length * WORD_BYTES);
    for (const [i, name] of ORDERS.entries()) {
      const value = name === 'kinds' ? FILE_KINDS[files] : (numbers[name] ?? 0);
      words.writeBigInt64LE(BigInt(value), i * WORD_BYTES);
    }
    writeSync(this.#control, words, 0, words.length, node * SLOT_WORDS * WORD_BYTES);
  }

  /** The disk is a good one again. */
  heal(node: number): void {
    this.order(node, {});
  }

  counters(node: number): ShimCounters {
    const words = Buffer.alloc(COUNTERS.length * WORD_BYTES);
    const at = (node * SLOT_WORDS + COUNTERS_AT) * WORD_BYTES;
    readSync(this.#control, words, 0, words.length, at);
    const values = COUNTERS.map((name, i) => [name, Number(words.readBigUInt64LE(i * WORD_BYTES))]);
    return Object.fromEntries(values) as ShimCounters;
  }

  close(): void {
    closeSync(this.#control);
  }
}
