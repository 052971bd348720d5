/**
 * Which cluster a command means: `--data`, else the `dataDir` of cluster.yml, or the brokers of
 * `--bootstrap`. The one place that turns these options into a directory or addresses.
 */
import { resolve } from 'node:path';
import { LograftError } from '../../base/errors.js';
import { DEFAULT_BASE_PORT } from '../../broker/node-config.js';
import { stateOf } from '../../broker/processes.js';
import { type Address, addresses } from '../options.js';
import { type ClusterNode, type ClusterState, livingNodes, readCluster } from './cluster-file.js';

export type WhereOptions = {
  readonly data?: string;
  readonly config?: string;
  readonly bootstrap?: string;
};

export async function dataDirectoryOf(options: WhereOptions): Promise<string> {
  if (options.data !== undefined) return resolve(options.data);
  // The parser and the schema are half of what a command loads, so only when they are needed.
  const { loadClusterConfig } = await import('../../broker/config.js');
  return loadClusterConfig({
    cwd: process.cwd(),
    env: process.env,
    file: options.config,
    // The file is only asked for a directory; who may listen where is not the question.
    isInsecure: true,
  }).dataDir;
}

export type LocatedCluster = { readonly dataDir: string; readonly state: ClusterState };

/** Throws LograftError NOT_RUNNING when the directory never held a cluster. */
export async function locateCluster(options: WhereOptions): Promise<LocatedCluster> {
  const dataDir = await dataDirectoryOf(options);
  const state = readCluster(dataDir);
  if (state === null) {
    throw new LograftError(
      'NOT_RUNNING',
      `there is no cluster in ${dataDir}`,
      'start one with `lograft up`, or name its directory with --data',
    );
  }
  return { dataDir, state };
}

const HOW_TO_START = 'start it with `lograft up`, or one node with `lograft start`';

/** One at least. Throws LograftError NOT_RUNNING, with `hint`, when no node runs. */
export function runningNodes(
  { dataDir, state }: LocatedCluster,
  hint = HOW_TO_START,
): ClusterNode[] {
  const nodes = livingNodes(state);
  if (nodes.length > 0) return nodes;
  throw new LograftError('NOT_RUNNING', `no node of the cluster in ${dataDir} is running`, hint);
}

/** Kafka addresses to try. Throws LograftError NOT_RUNNING when the directory holds no cluster. */
export async function bootstrapOf(options: WhereOptions): Promise<Address[]> {
  if (options.bootstrap !== undefined) return addresses(options.bootstrap, DEFAULT_BASE_PORT);
  // Nodes that cannot answer come last: asking a paused one costs a time-out.
  const { nodes } = (await locateCluster(options)).state;
  const rank = ({ process: id }: ClusterNode) => Number(id === null || stateOf(id) !== 'running');
  return [...nodes].sort((a, b) => rank(a) - rank(b)).map((node) => node.kafka);
}
