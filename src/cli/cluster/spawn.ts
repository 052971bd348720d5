/**
 * One node as a process of its own: `main.js broker …` in its own session (so that Ctrl-C reaches
 * the supervisor only), both outputs appended to DIR/node-<id>/lograft.log.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LograftError } from '../../base/errors.js';
import type { NodeId } from '../../base/units.js';
import { nodeDirectory, resolvedConfigFile } from '../../broker/node-config.js';
import { SUPERVISOR_PID, SUPERVISOR_START } from '../../broker/supervision.js';
import { identify, type ProcessId } from '../../broker/processes.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const LOG_LINES_SHOWN = 5;

export type SpawnedNode = {
  readonly id: NodeId;
  readonly child: ChildProcess;
  readonly process: ProcessId;
  /** What the node has said since it was spawned: its own error, else its last lines. */
  complaint(): string;
};

/**
 * Runs the node with DIR/config.json, under `supervisor` if there is one. Throws LograftError
 * STORAGE_FAILED when the process cannot even be made.
 */
export function spawnNode(dataDir: string, id: NodeId, supervisor: ProcessId | null): SpawnedNode {
  const directory = nodeDirectory(dataDir, id);
  mkdirSync(directory, { recursive: true });
  const logPath = join(directory, 'lograft.log');
  const log = openSync(logPath, 'a');
  const logStart = fstatSync(log).size;
  const child = spawn(process.execPath, [MAIN, ...brokerArguments(dataDir, id)], {
    detached: true,
    stdio: ['ignore', log, log],
    env: supervisedEnvironment(supervisor),
  });
  closeSync(log);
  const found = child.pid === undefined ? null : identify(child.pid);
  // A late 'error' event without a listener would end this process.
  child.on('error', () => undefined);
  if (found === null) {
    throw new LograftError('STORAGE_FAILED', `cannot start node ${id}: ${process.execPath}`);
  }
  return { id, child, process: found, complaint: () => complaintIn(logPath, logStart) };
}

function brokerArguments(dataDir: string, id: NodeId): string[] {
  return ['broker', '--id', String(id), '--resolved', resolvedConfigFile(dataDir)];
}

function supervisedEnvironment(supervisor: ProcessId | null): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env[SUPERVISOR_PID];
  delete env[SUPERVISOR_START];
  if (supervisor === null) return env;
  return {
    ...env,
    [SUPERVISOR_PID]: String(supervisor.pid),
    [SUPERVISOR_START]: supervisor.startTime,
  };
}

function complaintIn(logPath: string, from: number): string {
  const lines = readFileSync(logPath).subarray(from).toString('utf8').trimEnd().split('\n');
  const own = lines.findIndex((line) => line.startsWith('lograft: '));
  if (own !== -1) return lines.slice(own).join('\n').replace('lograft: ', '');
  return [...lines.slice(-LOG_LINES_SHOWN), `(see ${logPath})`].join('\n');
}
