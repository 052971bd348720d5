/**
 * Makes a checkout ready to run: packages, addon, compiled TypeScript. Every npm script calls this
 * first, so that one command on a fresh clone is enough. It runs before any dependency exists, on
 * whatever Node the user has, therefore plain JavaScript and nothing but node: modules.
 *
 * Its promise: when nothing changed it costs a stat of the sources and ends; when something did, it
 * says on stderr which step it takes and how long that took. stdout belongs to the command.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_OLDEST = [20, 17];
const FINGERPRINT = join(root, 'dist/.build-fingerprint');
const SOURCE_ROOMS = ['src', 'test', 'bench'];

checkNodeVersion();
if (!hasLockedPackages()) installPackages();
await buildAddon();
compile(sourceFingerprint());

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_OLDEST[0] || (major === NODE_OLDEST[0] && minor >= NODE_OLDEST[1])) return;
  const here = `this is ${process.version} (${process.execPath})`;
  fail(`lograft needs Node ${NODE_OLDEST.join('.')} or newer; ${here}`);
}

/**
 * npm writes node_modules/.package-lock.json as the last act of an install, so a version list equal
 * to the lock's means a complete tree, whoever made it. Packages for other platforms are optional.
 */
function hasLockedPackages() {
  const wanted = readPackages('package-lock.json');
  const present = readPackages('node_modules/.package-lock.json');
  if (present === null) return false;
  if (wanted === null) return true;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    const found = present[path];
    return path === '' || (found === undefined ? optional === true : found.version === version);
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch {
    return null;
  }
}

/** Dependencies' own install scripts are not needed by any of them, so they do not run. */
function installPackages() {
  const verb = existsSync(join(root, 'package-lock.json')) ? 'ci' : 'install';
  const args = [verb, '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  step(`installing packages (npm ${verb})`, () => {
    const npm = process.env.npm_execpath;
    const [command, first] =
      npm === undefined ? ['npm', []] : /js$/.test(npm) ? [process.execPath, [npm]] : [npm, []];
    return run(command, [...first, ...args]);
  });
}

/**
 * The addon's own script knows when it is fresh, and what to install when a tool is missing. It
 * runs in this process: a second Node would cost more than the check.
 */
async function buildAddon() {
  await import('../native/build.mjs');
  if (process.exitCode) process.exit();
}

function compile(fingerprint) {
  if (readText(FINGERPRINT) === fingerprint) return;
  step('compiling TypeScript (tsc -b)', () =>
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']),
  );
  removeOrphans(join(root, 'dist'));
  const entry = join(root, 'dist/cli/main.js');
  if (existsSync(entry)) chmodSync(entry, 0o755);
  mkdirSync(dirname(FINGERPRINT), { recursive: true });
  writeFileSync(FINGERPRINT, fingerprint);
}

/** Path, size and time of everything tsc reads, and of what a checkout could have thrown away. */
function sourceFingerprint() {
  const hash = createHash('sha256');
  for (const file of ['tsconfig.json', 'package-lock.json']) addToHash(hash, join(root, file));
  for (const room of SOURCE_ROOMS) {
    for (const path of walk(join(root, room))) {
      if (/\.ts$|tsconfig\.json$/.test(path)) addToHash(hash, path);
    }
  }
  return hash.digest('hex');
}

function addToHash(hash, path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  hash.update(`${path}\0${stats?.size}\0${stats?.mtimeMs}\n`);
}

/** tsc never removes the output of a deleted source; a deleted test must not go on running. */
function removeOrphans(dist) {
  for (const path of walk(dist)) {
    const output = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(relative(dist, path));
    if (output === null) continue;
    const isOutside = /^(test|bench)[\\/]/.test(output[1]);
    if (!existsSync(join(root, isOutside ? '' : 'src', `${output[1]}.ts`))) rmSync(path);
  }
}

function walk(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (entry.name === 'node_modules') return [];
      const path = join(directory, entry.name);
      return entry.isDirectory() ? walk(path) : [path];
    });
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function step(title, work) {
  const startMs = Date.now();
  process.stderr.write(`set-up: ${title} …\n`);
  const status = work();
  if (status !== 0) fail(`set-up: ${title} failed (exit ${status})`);
  process.stderr.write(`set-up: done in ${((Date.now() - startMs) / 1000).toFixed(1)} s\n`);
}

/** Runs a tool with both of its outputs on our stderr. */
function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error !== undefined) fail(`cannot run ${command}: ${result.error.message}`);
  return result.status ?? 1;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
