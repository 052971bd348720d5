/** `lograft down`: ends the supervisor, which ends its nodes, and whatever is left without one. */
import type { ProcessId } from '../broker/processes.js';
import { signal } from '../broker/processes.js';
import { waitForState } from './cluster/wait.js';
import {
  type ClusterState,
  isSupervised,
  livingNodes,
  readCluster,
  updateCluster,
} from './cluster/cluster-file.js';
import { dataDirectoryOf, type WhereOptions } from './cluster/locate.js';
import { endProcesses } from './cluster/shutdown.js';
import { withoutProcesses } from './cluster/supervisor.js';
import { EXIT, type Output } from './output.js';

/** What the supervisor itself allows for, and a little. */
const SUPERVISOR_MS = 11_000;

export async function down(output: Output, options: WhereOptions): Promise<number> {
  const dataDir = await dataDirectoryOf(options);
  const state = readCluster(dataDir);
  const living = state === null ? [] : livingNodes(state);
  if (state === null || (living.length === 0 && !isSupervised(state))) {
    output.result({ stopped: [] }, `nothing runs in ${dataDir}`);
    return EXIT.done;
  }
  await output.progress(() => 'stopping', stop(dataDir, state));
  const stopped = living.map((node) => node.id);
  output.result({ stopped }, `stopped: nodes ${stopped.join(', ')}`);
  return EXIT.done;
}

async function stop(dataDir: string, state: ClusterState): Promise<void> {
  const supervisor = isSupervised(state) ? (state.supervisor as ProcessId) : null;
  if (supervisor !== null) {
    signal(supervisor, 'SIGTERM');
    signal(supervisor, 'SIGCONT');
    const hasEnded = await waitForState(supervisor, 'gone', SUPERVISOR_MS);
    if (!hasEnded) signal(supervisor, 'SIGKILL');
  }
  await endProcesses(livingNodes(state).map((node) => node.process));
  await updateCluster(dataDir, (before) => withoutProcesses(before ?? state));
}
