/**
 * The text of cluster.yml as a validated value, overrides laid over it. Its one promise: each
 * finding is reported with file, line and column, or with the override that caused it. Pure but for
 * the yaml parser; any thread.
 */
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { LograftError } from '../base/errors.js';
import type { Override } from './config-overrides.js';
import { type ClusterFile, checkClusterFile, type SchemaFinding } from './config-schema.js';

type Path = readonly (string | number)[];
/** YAML that grows by aliases is an attack or an accident; ours has none. */
const ALIASES_MAX = 100;
const FINDINGS_MAX = 10;

export type ParsedClusterFile = {
  readonly value: ClusterFile;
  /** Who is to blame for what stands at `path`: `file:line:column`, or the override. */
  where(path: Path): string;
};

/** Throws LograftError CONFIG_INVALID with one line per finding. `file` is only named. */
export function parseClusterFile(
  file: string,
  text: string,
  overrides: readonly Override[],
): ParsedClusterFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    // What is odd is refused by the schema, not told to the process.
    logLevel: 'error',
  });
  const fault = document.errors[0];
  if (fault !== undefined) {
    throw invalid([`${file}:${place(lines, fault.pos[0])}: ${fault.message}`]);
  }
  const value = toValue(file, document);
  const applied = new Map<string, Override>();
  for (const override of overrides) {
    const at = applyOverride(value, override);
    applied.set(JSON.stringify(at), override);
  }
  const where = (path: Path, isAboutKey = false): string => {
    const override = applied.get(JSON.stringify(path));
    if (override !== undefined) return override.label;
    return `${file}:${place(lines, positionOf(document, path, isAboutKey))}`;
  };
  const findings = checkClusterFile(value);
  if (findings.length > 0) {
    const sentences = findings.map((finding) => {
      const isOverride = applied.has(JSON.stringify(finding.path));
      return sentence(finding, where(finding.path, finding.isAboutKey), isOverride);
    });
    throw invalid(sentences.slice(0, FINDINGS_MAX));
  }
  return { value: value as ClusterFile, where };
}

function toValue(file: string, document: Document.Parsed): Record<string, unknown> {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw invalid([`${file}: ${(error as Error).message}`]);
  }
  // An empty file is a cluster with every default.
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid([`${file}:1:1: expected keys such as "nodes:" and "settings:"`]);
  }
  // So is a key with nothing, or only comments, below it.
  return Object.fromEntries(Object.entries(value).filter(([, below]) => below !== null));
}

/** Writes the override into `value`; returns where it went, in the file's own path. */
function applyOverride(value: Record<string, unknown>, override: Override): Path {
  const [head, second, third] = override.path as [string, string?, string?];
  if (second === undefined) {
    value[head] = override.value;
    return [head];
  }
  if (head === 'settings') {
    const settings = (value['settings'] ??= {}) as Record<string, unknown>;
    settings[second] = override.value;
    return ['settings', second];
  }
  const nodes = (value['nodes'] ??= [{ id: 1 }, { id: 2 }, { id: 3 }]) as Record<string, unknown>[];
  const index = Array.isArray(nodes) ? nodes.findIndex((n) => n?.['id'] === Number(second)) : -1;
  const node = nodes[index];
  if (node === undefined) throw invalid([`${override.label}: there is no node ${second}`]);
  node[third as string] = override.value;
  return ['nodes', index, third as string];
}

function sentence(finding: SchemaFinding, at: string, isOverride: boolean): string {
  // The text of an override names its key already.
  const isNamed = isOverride || finding.path.length === 0;
  return `${at}: ${isNamed ? '' : `${finding.path.join('.')}: `}${finding.message}`;
}

/** Position of a value, or of its key; of the nearest thing above it when it is not in the text. */
function positionOf(document: Document.Parsed, path: Path, wantsKey: boolean): number {
  for (let depth = path.length; depth > 0; depth--) {
    const upper = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const node = document.getIn(path.slice(0, depth), true) as Node | undefined;
    if (!wantsKey && node?.range != null) return node.range[0];
    if (!isMap(upper)) continue;
    const pair = upper.items.find((p) => isScalar(p.key) && p.key.value === path[depth - 1]);
    const range = (pair?.key as Node | undefined)?.range;
    if (range != null) return range[0];
  }
  return 0;
}

function place(lines: LineCounter, position: number): string {
  const { line, col } = lines.linePos(position);
  return `${line}:${col}`;
}

function invalid(sentences: readonly string[]): LograftError {
  return new LograftError('CONFIG_INVALID', sentences.join('\n'));
}
