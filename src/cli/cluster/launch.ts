/**
 * What `up` is going to run: the configuration given now over the one a used directory was started
 * with. Its one promise: a directory is only ever continued with the nodes it was made with.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { LograftError } from '../../base/errors.js';
import { type ClusterConfig, type LoadOptions, loadClusterConfig } from '../../broker/config.js';
import { clusterIdOnDisk } from './disk-topics.js';
import { type ClusterNode, type ClusterState, type Launch, readCluster } from './cluster-file.js';

export type LaunchOptions = {
  readonly config?: string;
  readonly data?: string;
  readonly nodes?: number;
  readonly basePort?: number;
  readonly set?: readonly string[];
  readonly insecure?: boolean;
};

export type LaunchPlan = {
  readonly dataDir: string;
  readonly config: ClusterConfig;
  readonly launch: Launch;
};

export function loadOptionsOf(options: LaunchOptions): LoadOptions {
  return {
    cwd: process.cwd(),
    env: process.env,
    file: options.config,
    sets: options.set,
    dataDir: options.data,
    nodeCount: options.nodes,
    basePort: options.basePort,
    isInsecure: options.insecure,
  };
}

/** Throws LograftError CONFIG_INVALID, also when the options do not fit the directory. */
export function planLaunch(options: LaunchOptions): LaunchPlan {
  const given = loadOptionsOf(options);
  const dataDir =
    options.data === undefined ? loadClusterConfig(given).dataDir : resolve(options.data);
  const before = readCluster(dataDir);
  const load = before === null ? given : continued(given, before.launch);
  const config = loadClusterConfig({ ...load, dataDir });
  if (before !== null) refuseOtherNodes(dataDir, before, config);
  const launch: Launch = {
    configFile: config.configFile,
    nodeCount: load.nodeCount ?? null,
    basePort: load.basePort ?? null,
    isInsecure: load.isInsecure ?? false,
  };
  return { dataDir, config, launch };
}

/** Nodes of a fresh cluster.json. */
export function plannedNodes(config: ClusterConfig): ClusterNode[] {
  return config.nodes.map((node) => ({
    id: node.id,
    kafka: { host: node.advertisedHost, port: node.kafkaPort },
    peer: { host: node.advertisedHost, port: node.peerPort },
    http: { host: node.advertisedHost, port: node.httpPort },
    process: null,
    hasFailed: false,
  }));
}

/** Settings are not carried over: a `--set` that was left out shall not live on unseen. */
function continued(given: LoadOptions, before: Launch): LoadOptions {
  if (given.file !== undefined) return given;
  return {
    ...given,
    file: existsSync(before.configFile) ? before.configFile : undefined,
    nodeCount: given.nodeCount ?? before.nodeCount ?? undefined,
    basePort: given.basePort ?? before.basePort ?? undefined,
    isInsecure: given.isInsecure ?? before.isInsecure,
  };
}

function refuseOtherNodes(dataDir: string, before: ClusterState, config: ClusterConfig): void {
  const had = before.nodes.map((node) => node.id).join(', ');
  const wants = config.voters.join(', ');
  if (had === wants) return;
  // A first start that failed has bound nobody to anything.
  const ids = before.nodes.map((node) => node.id);
  if (clusterIdOnDisk(dataDir, ids) === null) return;
  throw new LograftError(
    'CONFIG_INVALID',
    `${dataDir} holds a cluster of the nodes ${had}, not of ${wants} (${config.configFile})`,
    'its members cannot be changed this way: leave out --nodes, or use another --data',
  );
}
