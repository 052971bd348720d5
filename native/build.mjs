/**
 * Builds the native addon (build/Release/lograft.node) with node-gyp against the headers of the
 * Node that runs this file. Does nothing when the sources are those of the last build. Needs no
 * home directory, no npm configuration and, where Node came with its headers, no network.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const ADDON = join(ROOT, 'build', 'Release', 'lograft.node');
const STAMP = join(ROOT, 'build', 'Release', 'lograft.stamp');
const TOOLS = ['python3', 'make', 'g++'];

process.exitCode = main();

function main() {
  const stamp = sourceStamp();
  if (existsSync(ADDON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return 0;
  const missing = TOOLS.filter((tool) => !isRunnable(tool));
  if (missing.length > 0) {
    console.error(
      `lograft: cannot build the native addon without ${missing.join(', ')}: ` +
        'sudo apt-get install -y python3 make g++',
    );
    return 1;
  }
  const nodeGyp = findNodeGyp();
  if (nodeGyp === null) {
    console.error('lograft: cannot build the native addon without node-gyp: npm install');
    return 1;
  }
  rmSync(STAMP, { force: true });
  console.error('lograft: building the native addon');
  const status = runNodeGyp(nodeGyp);
  if (status !== 0 || !existsSync(ADDON)) {
    console.error('lograft: the native addon was not built; the compiler says why above');
    return 1;
  }
  writeFileSync(STAMP, stamp);
  return 0;
}

/** What the addon depends on: Node, the compiler's input, and this recipe. */
function sourceStamp() {
  const hash = createHash('sha256');
  hash.update(`${process.version} ${process.platform} ${process.arch}\n`);
  const files = [join(ROOT, 'binding.gyp'), fileURLToPath(import.meta.url)];
  for (const folder of ['native', 'native/bind', 'native/core', 'native/platform']) {
    for (const name of readdirSync(join(ROOT, folder)).sort()) {
      if (/\.(cc|h)$/.test(name)) files.push(join(ROOT, folder, name));
    }
  }
  for (const file of files) {
    hash.update(`${file.slice(ROOT.length)}\n`);
    hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

function isRunnable(tool) {
  return spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;
}

function findNodeGyp() {
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

function runNodeGyp(nodeGyp) {
  const cache = join(ROOT, 'build', 'node-gyp');
  mkdirSync(cache, { recursive: true });
  const args = [nodeGyp, 'configure', 'build', '--release', '--jobs=2', `--devdir=${cache}`];
  const prefix = resolve(dirname(process.execPath), '..');
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${prefix}`);
  const verbose = process.env.LOGRAFT_BUILD_VERBOSE === '1';
  const result = spawnSync(process.execPath, args, {
    cwd: ROOT,
    env: cleanEnvironment(cache),
    stdio: verbose ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (result.status !== 0 && !verbose) process.stderr.write(`${result.stdout}${result.stderr}`);
  return result.status;
}

/** Settings of npm change what node-gyp does, so it sees none; it also wants some home. */
function cleanEnvironment(home) {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^npm_/i.test(name)) env[name] = value;
  }
  env.HOME = env.HOME || home;
  return env;
}
