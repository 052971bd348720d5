/**
 * The repository's own text, read for the tests that hold its law. A light scanner rather than a
 * parser: it knows comments, strings, templates and regular expressions, which is enough to say
 * which words are code, and which modules a file names.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

export type SourceFile = {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The text with the inside of comments and literals blanked; same length, same lines. */
  readonly code: string;
  /** Module specifiers of import and export statements. */
  readonly imports: readonly string[];
  /** Other literals that look like a compiled file of ours: a worker's entry, a program. */
  readonly mentions: readonly string[];
};

const FOLDERS = ['src', 'test', 'bench', 'native', '.ci'];
const SKIPPED_FOLDERS = new Set(['node_modules', 'build', 'target']);

export function listFiles(): string[] {
  return FOLDERS.flatMap(walk);
}

function walk(folder: string): string[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED_FOLDERS.has(entry.name)) return [];
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? walk(path) : [path];
  });
}

export function readText(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8');
}

export function loadSources(): SourceFile[] {
  return listFiles()
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parseSource(path, readText(path)));
}

export function parseSource(path: string, text: string): SourceFile {
  const blanked = blank(text);
  const imports = findImports(blanked.withLiterals);
  const mentions = findMentions(blanked.withLiterals).filter((name) => !imports.includes(name));
  return { path, text, code: blanked.code, imports, mentions };
}

/** Where a specifier leads inside the repository, or null for a package or a `node:` module. */
export function resolveImport(from: string, specifier: string): string | null {
  const source = specifier.replace(/\.js$/, '.ts');
  if (specifier.startsWith('#src/')) return `src/${source.slice('#src/'.length)}`;
  if (specifier.startsWith('.')) return normalize(join(dirname(from), source));
  return null;
}

/** 1-based line of a position in a text. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

function findImports(text: string): string[] {
  const statements = /\b(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g;
  return [...text.matchAll(statements)].map((match) => (match[1] ?? match[2]) as string);
}

function findMentions(text: string): string[] {
  return [...text.matchAll(/'(\.{1,2}\/[\w./-]+\.js)'/g)].map((match) => match[1] as string);
}

type Blanked = { readonly code: string; readonly withLiterals: string };

/**
 * Alternation in order of precedence; what matches is not code. A template is blanked as a whole,
 * with the expressions in it, which is lenient. A slash begins a regular expression only after
 * what can not end an operand.
 */
const COMMENT = String.raw`\/\/[^\n]*|\/\*[\s\S]*?\*\/`;
const LITERAL = String.raw`'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"`;
const TEMPLATE = '`(?:\\\\[^]|[^`\\\\])*`';
const REGEXP_BODY = String.raw`(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+`;
const REGEXP = String.raw`(?<=[(,=:[!&|?{};\n]\s*|return )\/(?![/*])${REGEXP_BODY}\/`;
const NOT_CODE = new RegExp([COMMENT, LITERAL, TEMPLATE, REGEXP].join('|'), 'g');

function blank(text: string): Blanked {
  const spaces = (found: string): string => found.replace(/[^\n]/g, ' ');
  const isQuoted = (found: string): boolean => found.startsWith("'");
  return {
    code: text.replace(NOT_CODE, spaces),
    withLiterals: text.replace(NOT_CODE, (found) => (isQuoted(found) ? found : spaces(found))),
  };
}
