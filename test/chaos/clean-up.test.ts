/**
 * What a chaos run made is gone when it is, also when it was interrupted in the middle of a fault,
 * or killed so that it could do nothing about it. time limit: 180 s
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.js';
import { mustRun } from '../support/command.js';
import { missingNetwork } from '../support/node-network.js';
import { testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';
import { sleep, waitFor } from '../support/wait-for.js';
import { test } from 'uvu';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const ARGS = ['--faults', 'cut,delay', '--rounds', '50', '--topics', '1', '--partitions', '3'];
/** A node looks four times a second whether its supervisor lives, and closes in good order. */
const GONE_MS = 30_000;

const testOnNetwork = testWith(missingNetwork());

type Process = { readonly pid: number; readonly command: string; readonly network: string };

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), command, network: readlinkSync(`/proc/${name}/ns/net`) }];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
}

function tables(): Promise<string> {
  return mustRun('nft', ['list', 'tables']).then(({ stdout }) => stdout);
}

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  testOnNetwork(`nothing is left after ${signal}`, async () => {
    const scratch = tempDir('chaos');
    const tablesBefore = await tables();
    const ours = readlinkSync('/proc/self/ns/net');
    const run = new Child('/usr/bin/env', [`TMPDIR=${scratch}`, process.execPath, MAIN, ...ARGS]);
    await run.errorLine(/every partition takes records/, 60_000);
    await sleep(500);
    const nodes = processes().filter(({ command }) => command.includes(scratch));
    const networks = new Set(nodes.map(({ network }) => network));
    assert.is(nodes.filter(({ command }) => / broker /.test(command)).length, 3);
    assert.is(networks.has(ours), false, 'each node has a network of its own');
    assert.ok(networkInterfaces()[`lgr${run.pid}`] !== undefined, 'and there is a port to them');
    await run.kill(signal);
    const left = (): Process[] =>
      processes().filter(({ command, network }) => {
        return command.includes(scratch) || networks.has(network);
      });
    await waitFor('its processes to end', () => left().length === 0, { timeoutMs: GONE_MS });
    await waitFor('its port to go', () => networkInterfaces()[`lgr${run.pid}`] === undefined);
    assert.is(await tables(), tablesBefore);
    // Nobody can remove the data of a run that was killed; an interrupted one does.
    if (signal === 'SIGINT') assert.equal(readdirSync(scratch), []);
  });
}

test.run();
