/**
 * The law of the code base (test/tidy/law.ts) applied to every file: imports between rooms, banned
 * calls with their replacement, lengths, files that nothing uses, suites that forget to run. A
 * violation names file, line and what to do instead. What needs a parser is biome's part.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  BANS,
  COLUMNS_MAX,
  ENTRY_POINTS,
  FILE_LINES_AIM,
  FILE_LINES_MAX,
  HANDLERS_SEE_OF_CONTROL,
  IGNORED_TOP_LEVEL,
  IMPORT_LAW,
  LONG_FILES,
  MAY_IMPORT_FS,
  PURE,
  PURE_MODULES,
  TOP_LEVEL,
} from './tidy/law.js';
import {
  REPOSITORY,
  type SourceFile,
  lineAt,
  listFiles,
  loadSources,
  parseSource,
  readText,
  resolveImport,
} from './tidy/source-tree.js';

const sources = loadSources();
const shipped = sources.filter((file) => file.path.startsWith('src/'));
const texts = listFiles()
  .filter((path) => /\.(ts|mjs|cc|h|hpp|java|sh)$|^\.ci\/run$/.test(path))
  .map((path) => ({ path, text: readText(path) }));

function none(violations: readonly string[]): void {
  if (violations.length === 0) return;
  const error = new Error(`${violations.length} violations\n  ${violations.join('\n  ')}`);
  error.stack = '';
  throw error;
}

function roomOf(path: string): string {
  return path.split('/')[1] as string;
}

test('rooms import only what the import law allows', () => {
  none(shipped.flatMap(importViolations));
});

function importViolations(file: SourceFile): string[] {
  const room = roomOf(file.path);
  const allowed = IMPORT_LAW[room];
  if (allowed === undefined) return [`${file.path}: no room "${room}" in the import law`];
  return file.imports.flatMap((specifier) => {
    const target = resolveImport(file.path, specifier);
    if (target === null) {
      const isImpure = specifier.startsWith('node:') && !PURE_MODULES.has(specifier);
      if (isImpure && PURE.test(file.path)) return [`${file.path}: a pure file uses ${specifier}`];
      if (/^node:fs\b/.test(specifier) && !MAY_IMPORT_FS.test(file.path)) {
        return [`${file.path}: opens files itself; go through log/disk.ts`];
      }
      return [];
    }
    if (!target.startsWith('src/')) return [`${file.path}: imports ${target} from outside src`];
    const other = roomOf(target);
    const isAllowed = other === room || allowed.includes('*') || allowed.includes(other);
    if (!isAllowed) return [`${file.path}: ${room} may not import ${target}`];
    if (room === 'handlers' && other === 'control' && !HANDLERS_SEE_OF_CONTROL.test(target)) {
      return [`${file.path}: of control, handlers see the image only, not ${target}`];
    }
    return [];
  });
}

test('every import leads to a file', () => {
  const paths = new Set(sources.map((file) => file.path));
  none(
    sources.flatMap((file) =>
      file.imports
        .map((specifier) => resolveImport(file.path, specifier))
        .filter((target) => target !== null && target.endsWith('.ts') && !paths.has(target))
        .map((target) => `${file.path}: ${target} does not exist`),
    ),
  );
});

test('banned calls', () => {
  none(sources.flatMap(banViolations));
});

function banViolations(file: SourceFile): string[] {
  return BANS.filter(
    (ban) => ban.within.test(file.path) && ban.except?.test(file.path) !== true,
  ).flatMap((ban) => {
    const text = ban.seesComments === true ? file.text : file.code;
    return [...text.matchAll(ban.pattern)].map(
      (match) => `${file.path}:${lineAt(text, match.index)}: ${match[0]}; use ${ban.instead}`,
    );
  });
}

test('files and lines are short', () => {
  none(
    texts.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      const count = lines.length - 1;
      const max = Math.min(LONG_FILES[path] ?? FILE_LINES_AIM, FILE_LINES_MAX);
      const tooLong = count > max ? [`${path}: ${count} lines of at most ${max}`] : [];
      const tooWide = lines.flatMap((line, i) =>
        line.length > COLUMNS_MAX ? [`${path}:${i + 1}: ${line.length} columns`] : [],
      );
      return [...tooLong, ...tooWide];
    }),
  );
});

test('no entry of the list of long files is out of date', () => {
  none(
    Object.keys(LONG_FILES).filter((path) => {
      const file = texts.find((text) => text.path === path);
      return file === undefined || file.text.split('\n').length - 1 <= FILE_LINES_AIM;
    }),
  );
});

test('every file opens with prose that says what it is', () => {
  none(
    sources
      .filter((file) => !/^(#!.*\n)?\/\*\*[\s\S]{30,}?\*\//.test(file.text))
      .map((file) => `${file.path}: no opening comment`),
  );
});

test('nothing is left for later', () => {
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'];
  const marker = new RegExp(`\\b(${words.join('|')})\\b`);
  const suppression = new RegExp('@ts-' + '(ignore|nocheck)');
  none(
    texts.flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, i) =>
          marker.test(line) || suppression.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [],
        ),
    ),
  );
});

test("no path of somebody's machine", () => {
  const machine = new RegExp(`['"\` =](/(${['work', 'home', 'root', 'Users'].join('|')})/)`);
  none(texts.filter(({ text }) => machine.test(text)).map(({ path }) => path));
});

test('every file is used', () => {
  const isSupport = (file: SourceFile): boolean => !file.path.startsWith('src/');
  const reached = (isEntry: (file: SourceFile) => boolean): Set<string> => {
    const seen = new Set<string>();
    const queue = sources.filter(isEntry);
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (seen.has(file.path)) continue;
      seen.add(file.path);
      const { path: from, imports, mentions } = file;
      const targets = [...imports, ...mentions].map((name) => resolveImport(from, name));
      queue.push(...sources.filter(({ path }) => targets.includes(path)));
    }
    return seen;
  };
  const fromProduct = reached((file) => file.path === 'src/cli/main.ts');
  const fromAnywhere = reached((file) => ENTRY_POINTS.test(file.path));
  none(
    sources
      .filter((file) => !(isSupport(file) ? fromAnywhere : fromProduct).has(file.path))
      .map((file) => `${file.path}: nothing that ${isSupport(file) ? 'runs' : 'ships'} imports it`),
  );
});

test('every suite is run', () => {
  none(
    sources
      .filter((file) => file.path.endsWith('.test.ts'))
      .flatMap((file) => {
        const suites = [...file.code.matchAll(/\bconst (\w+) = suite\b/g)].map((found) => found[1]);
        const usesDefault = /\bimport \{[^}]*\btest\b[^}]*\} from/.test(file.code);
        return [...suites, ...(usesDefault || suites.length === 0 ? ['test'] : [])]
          .filter((name) => !new RegExp(`\\b${name}\\.run\\(\\)`).test(file.code))
          .map((name) => `${file.path}: ${name}.run() is missing`);
      }),
  );
});

test('the top level holds what was agreed', () => {
  none(
    readdirSync(REPOSITORY).filter(
      (name) => !name.startsWith('.') && !TOP_LEVEL.has(name) && !IGNORED_TOP_LEVEL.has(name),
    ),
  );
});

test('package.json pins versions and runs nothing at install', () => {
  const manifest = JSON.parse(readText('package.json')) as Record<string, Record<string, string>>;
  const versions = { ...manifest['dependencies'], ...manifest['devDependencies'] };
  const loose = Object.entries(versions).filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version));
  none(loose.map(([name, version]) => `${name} ${version}`));
  const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
  none(atInstall.filter((name) => name in (manifest['scripts'] as object)));
});

/** `npm ci` refuses a lock that lacks an optional package of any platform. */
test('a script hands its process over, so that a signal to npm reaches the command', () => {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
  const commands = Object.entries(scripts).filter(([, line]) => line.includes('node dist/'));
  assert.ok(commands.length > 4);
  none(commands.filter(([, line]) => !line.startsWith('exec ')).map(([name]) => name));
});

test('package-lock.json is complete', () => {
  type Entry = { readonly [kind: string]: Readonly<Record<string, string>> | undefined };
  const { packages } = JSON.parse(readText('package-lock.json')) as {
    packages: Readonly<Record<string, Entry>>;
  };
  const present = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  const kinds = ['dependencies', 'optionalDependencies'];
  const wanted = Object.values(packages).flatMap((entry) =>
    kinds.flatMap((kind) => Object.keys(entry[kind] ?? {})),
  );
  none([...new Set(wanted)].filter((name) => !present.has(name)));
});

test('package-lock.json names no registry', () => {
  none(
    readText('package-lock.json')
      .split('\n')
      .filter((line) => line.includes('"resolved"')),
  );
});

test('biome finds nothing', () => {
  const biome = join(REPOSITORY, 'node_modules/.bin/biome');
  const args = ['lint', '--max-diagnostics=200', '--reporter=github', '.'];
  const result = spawnSync(biome, args, { cwd: REPOSITORY, encoding: 'utf8' });
  const line = /^::error title=([^,]*),file=([^,]*),line=(\d+).*?::(.*)$/gm;
  none(
    [...result.stdout.matchAll(line)].map(
      ([, rule, path, at, text]) => `${path?.replace(REPOSITORY, '')}:${at}: ${rule}: ${text}`,
    ),
  );
  assert.is(result.status, 0, `${result.stdout}\n${result.stderr}`);
});

test('the scanner tells code from comments and literals', () => {
  const file = parseSource(
    'src/raft/x.ts',
    `import { a } from './a.js'; // Date.now
     /* Math.random */ const s = 'Math.random';
     const t = \`Date.now \${a}\`; const r = /Date.now'/g; const q = 4 / 2; Date.now();
     new Worker(new URL('./worker.js', import.meta.url));`,
  );
  assert.is([...file.imports, ...file.mentions].join(' '), './a.js ./worker.js');
  const found = banViolations(file).map((violation) => violation.split(';')[0]);
  assert.equal(found, ['src/raft/x.ts:3: Date.now']);
  const imports = ['log/x', 'raft/y', 'base/z'].map((path) => `#src/${path}.js`);
  assert.is(importViolations({ ...file, imports: [...imports, 'node:fs'] }).length, 2);
});

test.run();
