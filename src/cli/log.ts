/**
 * `lograft log verify|dump FILE|DIR`: looks at segment files as they lie there, of a running node
 * too. A directory is a partition's folder, or one that holds such folders. Changes nothing.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LograftError } from '../base/errors.js';
import { NodeDisk } from '../log/node-disk.js';
import {
  type BatchReport,
  type FileDamage,
  type FileReport,
  type VerifyOptions,
  verifyFile,
  verifyFolder,
} from '../log/verify.js';
import { decompress } from '../pool/codecs.js';
import { EXIT, type Output, table } from './output.js';

/** Folders of topics lie in a node's directory, which lies in the cluster's. */
const DEPTH_MAX = 2;
const SEGMENT_NAME = /^\d{20}\.log$/;

/** One report for everything that was named; of one file it is the file's own. */
type Report = FileReport & {
  readonly damage: readonly (FileDamage & { readonly file?: string })[];
  /** Of a directory: each of its segments. */
  readonly files?: readonly FileReport[];
};

export async function verifyLog(output: Output, target: string): Promise<number> {
  const report = await inspect(target, {});
  output.result(report, reportText(report));
  return report.damage.length === 0 ? EXIT.done : EXIT.failed;
}

/** Prints batch by batch, so that a segment of any size passes through little memory. */
export async function dumpLog(
  output: Output,
  target: string,
  options: { readonly records?: boolean },
): Promise<number> {
  let separator = '{"contents":[';
  const onBatch = (batch: BatchReport): void => {
    if (output.isJson) {
      process.stdout.write(`${separator}${JSON.stringify(batch)}`);
      separator = ',\n';
    } else {
      process.stdout.write(`${batchText(batch)}\n`);
    }
  };
  const hasRecords = options.records ?? false;
  const report = await inspect(target, { onBatch, hasRecords, decompress });
  if (output.isJson) {
    const opening = separator === ',\n' ? '' : separator;
    process.stdout.write(`${opening}],${JSON.stringify(report).slice(1)}\n`);
  } else {
    output.result(report, `\n${reportText(report)}`);
  }
  return report.damage.length === 0 ? EXIT.done : EXIT.failed;
}

async function inspect(target: string, options: VerifyOptions): Promise<Report> {
  const path = resolve(target);
  if (!existsSync(path)) throw new LograftError('NOT_FOUND', `there is no file ${path}`);
  const disk = new NodeDisk();
  try {
    if (!statSync(path).isDirectory()) return verifyFile(disk, path, options);
    const folders = partitionFolders(path, DEPTH_MAX);
    if (folders.length === 0) {
      throw new LograftError('NOT_FOUND', `no segment files lie in ${path}`);
    }
    return combined(
      path,
      folders,
      folders.flatMap((f) => verifyFolder(disk, f, options)),
    );
  } finally {
    await disk.shutDown();
  }
}

function partitionFolders(directory: string, depth: number): string[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  if (entries.some((entry) => SEGMENT_NAME.test(entry.name))) return [directory];
  if (depth === 0) return [];
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => partitionFolders(join(directory, entry.name), depth - 1));
}

function combined(path: string, folders: readonly string[], files: readonly FileReport[]): Report {
  const sum = (of: (report: FileReport) => number) => files.reduce((n, r) => n + of(r), 0);
  // Offsets of different partitions do not make a range.
  const isOnePartition = folders.length === 1;
  return {
    file: path,
    batches: sum((report) => report.batches),
    baseOffset: isOnePartition ? (files[0]?.baseOffset ?? -1) : -1,
    nextOffset: isOnePartition ? (files.at(-1)?.nextOffset ?? -1) : -1,
    bytes: sum((report) => report.bytes),
    damage: files.flatMap(({ file, damage }) => damage.map((d) => ({ ...d, file }))),
    files,
  };
}

function reportText(report: Report): string {
  const files = report.files ?? [report];
  const rows = files.map((file) => [
    file.file,
    String(file.batches),
    String(file.baseOffset),
    String(file.nextOffset),
    String(file.bytes),
    file.damage.length === 0
      ? 'sound'
      : file.damage.map(({ kind, position }) => `${kind} at ${position}`).join(', '),
  ]);
  return table(['FILE', 'BATCHES', 'BASE', 'NEXT', 'BYTES', 'STATE'], rows);
}

function batchText(batch: BatchReport): string {
  const { records, ...fields } = batch;
  const line = Object.entries(fields)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join('  ');
  const recordLines = (records ?? []).map((record) => {
    const text = (value: string | null) =>
      value === null ? 'null' : JSON.stringify(Buffer.from(value, 'base64').toString());
    return `  ${record.offset}  ${record.timestamp}  ${text(record.key)}  ${text(record.value)}`;
  });
  return [line, ...recordLines].join('\n');
}
