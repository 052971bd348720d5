/**
 * What a disk in memory keeps per file and per directory: the durable state, the operations since,
 * and which of them a power cut spares. Pure but for the random source it is given.
 */
import type { Prng } from '#src/base/prng.js';

/**
 * none: only what was synced. prefix: of each file a prefix of its operations, the last perhaps
 * torn. random: any pages of any operations. all: the page cache survives (kill -9).
 */
export type Keep = 'none' | 'prefix' | 'random' | 'all';

export type FileOp =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly length: number };

/** Growing bytes; everything behind `size` is zero. */
type Image = { bytes: Buffer; size: number };

export type FileNode = {
  readonly kind: 'file';
  /** What readers see: the page cache over the platter. */
  readonly content: Image;
  readonly durable: Image;
  /** Operations since `durable`, oldest first; `firstOp` is the number of the oldest. */
  ops: FileOp[];
  firstOp: number;
};

export type DirectoryOp =
  | { readonly kind: 'link'; readonly name: string; readonly node: Node }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly node: Node };

export type DirectoryNode = {
  readonly kind: 'directory';
  entries: Map<string, Node>;
  durable: Map<string, Node>;
  ops: DirectoryOp[];
};

export type Node = FileNode | DirectoryNode;

const PAGE = 4096;
const IMAGE_BYTES_MIN = 256;

/** Loses power below a directory; returns the bytes of the files that are left. */
export function crashDirectory(directory: DirectoryNode, keep: Keep, prng: Prng): number {
  const entries = directory.durable;
  applyNames(entries, chooseOps(directory.ops, keep, prng));
  directory.entries = new Map(entries);
  directory.durable = entries;
  directory.ops = [];
  let bytes = 0;
  for (const node of entries.values()) {
    if (node.kind === 'directory') bytes += crashDirectory(node, keep, prng);
    else bytes += crashFile(node, keep, prng);
  }
  return bytes;
}

/** What operations on a directory do to its names, in the order in which they were asked for. */
export function applyNames(entries: Map<string, Node>, ops: readonly DirectoryOp[]): void {
  for (const op of ops) {
    if (op.kind === 'link') entries.set(op.name, op.node);
    else if (op.kind === 'unlink') entries.delete(op.name);
    else {
      entries.delete(op.from);
      entries.set(op.to, op.node);
    }
  }
}

function crashFile(node: FileNode, keep: Keep, prng: Prng): number {
  for (const op of chooseOps(tearOps(node.ops, keep, prng), keep, prng)) {
    applyOp(node.durable, op);
  }
  node.content.bytes = Buffer.from(node.durable.bytes);
  node.content.size = node.durable.size;
  node.firstOp += node.ops.length;
  node.ops = [];
  return node.content.size;
}

export function newFile(): FileNode {
  const content = { bytes: Buffer.alloc(0), size: 0 };
  return { kind: 'file', content, durable: { ...content }, ops: [], firstOp: 0 };
}

export function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durable: new Map(), ops: [] };
}

/** Takes the operations numbered below `upTo` off the list, oldest first. */
export function dropOps(node: FileNode, upTo: number, each: (op: FileOp) => void): void {
  const count = Math.min(node.ops.length, Math.max(0, upTo - node.firstOp));
  for (let i = 0; i < count; i++) each(node.ops[i] as FileOp);
  node.ops = node.ops.slice(count);
  node.firstOp += count;
}

export function copyOf(bytes: Uint8Array, start: number, length: number): Buffer {
  const isWhole = start === 0 && length === bytes.length;
  const copy = Buffer.allocUnsafe(length);
  copy.set(isWhole ? bytes : bytes.subarray(start, start + length));
  return copy;
}

/** Small ones come out of the shared slab, not each out of memory of its own. */
function zeros(length: number): Buffer {
  return Buffer.allocUnsafe(length).fill(0);
}

export function applyOp(image: Image, op: FileOp): void {
  const end = op.kind === 'truncate' ? op.length : op.position + op.bytes.length;
  if (end > image.bytes.length) {
    const grown = zeros(Math.max(end, image.bytes.length * 2, IMAGE_BYTES_MIN));
    image.bytes.copy(grown, 0, 0, image.size);
    image.bytes = grown;
  }
  if (op.kind === 'write') {
    op.bytes.copy(image.bytes, op.position);
    image.size = Math.max(image.size, end);
  } else {
    if (end < image.size) image.bytes.fill(0, end, image.size);
    image.size = end;
  }
}

/** Which operations reach the platter before the power is gone. */
function chooseOps<T>(ops: readonly T[], keep: Keep, prng: Prng): readonly T[] {
  if (keep === 'none') return [];
  if (keep === 'prefix') return ops.slice(0, prng.int(0, ops.length + 1));
  return ops.filter(() => prng.chance(0.5));
}

/** Breaks writes into what a disk writes at once: pages, or for a prefix a torn last write. */
function tearOps(ops: readonly FileOp[], keep: Keep, prng: Prng): FileOp[] {
  const torn: FileOp[] = [];
  for (const op of ops) {
    if (op.kind === 'truncate') torn.push(op);
    else if (keep === 'prefix') {
      const cut = prng.int(0, op.bytes.length + 1);
      torn.push({ ...op, bytes: op.bytes.subarray(0, cut) });
      torn.push({ ...op, position: op.position + cut, bytes: op.bytes.subarray(cut) });
    } else torn.push(...pagesOf(op));
  }
  return torn;
}

function* pagesOf(op: FileOp & { readonly kind: 'write' }): Generator<FileOp> {
  for (let from = 0; from < op.bytes.length; ) {
    const to = Math.min(op.bytes.length, from + PAGE - ((op.position + from) % PAGE));
    yield { kind: 'write', position: op.position + from, bytes: op.bytes.subarray(from, to) };
    from = to;
  }
}
