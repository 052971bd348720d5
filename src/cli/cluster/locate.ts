/**
 * Which cluster a command means: `--data`, else the `dataDir` of cluster.yml, or the brokers of
 * `--bootstrap`. The one place that turns these options into a directory or addresses.
 */
import { resolve } from 'node:path';
import { LograftError } from '../../base/errors.js';
import { DEFAULT_BASE_PORT, loadClusterConfig } from '../../broker/config.js';
import { type Address, addresses } from '../options.js';
import { type ClusterState, readCluster } from './cluster-file.js';

export type WhereOptions = {
  readonly data?: string;
  readonly config?: string;
  readonly bootstrap?: string;
};

export function dataDirectoryOf(options: WhereOptions): string {
  if (options.data !== undefined) return resolve(options.data);
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
export function locateCluster(options: WhereOptions): LocatedCluster {
  const dataDir = dataDirectoryOf(options);
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

/** Kafka addresses to try. Throws LograftError NOT_RUNNING when the directory holds no cluster. */
export function bootstrapOf(options: WhereOptions): Address[] {
  if (options.bootstrap !== undefined) return addresses(options.bootstrap, DEFAULT_BASE_PORT);
  return locateCluster(options).state.nodes.map((node) => node.kafka);
}
