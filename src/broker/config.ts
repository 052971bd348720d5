/**
 * From cluster.yml, the environment and `--set` to the typed configuration of a cluster and of one
 * broker. Its one promise: what it returns is complete and consistent, and what it refuses is
 * refused with the place and the remedy in the message. Main thread, before anything starts.
 *
 *     --set k=v   >   LOGRAFT_K=v   >   cluster.yml   >   the default in the registry
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { LograftError } from '../base/errors.js';
import type { NodeId } from '../base/units.js';
import { isLoopback, isWildcard, normalHost } from './addresses.js';
import { type ParsedClusterFile, parseClusterFile } from './config-file.js';
import type { Override } from './config-overrides.js';
import { overridesOf } from './config-overrides.js';
import type { ClusterFile, NodeEntry } from './config-schema.js';
import { DEFAULT_BASE_PORT, packagedConfigFile } from './node-config.js';
import { type BrokerSettings, defaultSettings, type SettingName } from './settings.js';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_DATA_DIR = 'data';
const DEFAULT_NODES: readonly NodeEntry[] = [{ id: 1 }, { id: 2 }, { id: 3 }];
const PEER_PORT_SHIFT = 100;
const HTTP_PORT_SHIFT = 200;

/** Where one node listens and under which address others reach it. */
export type NodeConfig = {
  readonly id: NodeId;
  /** Listen address. */
  readonly host: string;
  readonly kafkaPort: number;
  readonly peerPort: number;
  readonly httpPort: number;
  /** What clients and peers connect to; never a wildcard address. */
  readonly advertisedHost: string;
  /** Kafka port that clients are told. */
  readonly advertisedPort: number;
  readonly rack: string | null;
};

export type ClusterConfig = {
  readonly clusterName: string | null;
  /** Absolute path of the file that was read. */
  readonly configFile: string;
  /** Absolute path. */
  readonly dataDir: string;
  /** Ascending by id, at least one. */
  readonly nodes: readonly NodeConfig[];
  /** First voters of the metadata group: the ids of `nodes`. */
  readonly voters: readonly NodeId[];
  readonly settings: BrokerSettings;
  /** Settings that did not come from the registry's defaults (DescribeConfigs tells them apart). */
  readonly setNames: ReadonlySet<SettingName>;
};

export type BrokerConfig = {
  readonly nodeId: NodeId;
  readonly node: NodeConfig;
  /** `dataDir/node-<id>`, absolute. */
  readonly nodeDir: string;
  readonly cluster: ClusterConfig;
};

export type LoadOptions = {
  /** Path of a cluster.yml; without it `./cluster.yml`, and without that the packaged one. */
  readonly file?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `k=v` as given to `--set`; later ones win. */
  readonly sets?: readonly string[] | undefined;
  readonly dataDir?: string | undefined;
  /** Use nodes 1..N instead of the list in the file. */
  readonly nodeCount?: number | undefined;
  /** Derive every port from this one instead of what the file says. */
  readonly basePort?: number | undefined;
  /** Allow listening on addresses other than loopback although there is no authentication yet. */
  readonly isInsecure?: boolean | undefined;
};

/** Reads, overlays, validates and completes. Throws LograftError CONFIG_INVALID. */
export function loadClusterConfig(options: LoadOptions): ClusterConfig {
  const configFile = findConfigFile(options.cwd, options.file);
  const overrides = overridesOf(options.env, options.sets ?? []);
  const parsed = parseClusterFile(configFile, readConfigText(configFile), overrides);
  const file = parsed.value;
  const nodes = completeNodes(file, options);
  const settings: BrokerSettings = { ...defaultSettings(), ...file.settings };
  fitReplication(settings, nodes.length, overrides);
  checkSettings(settings, parsed);
  checkNodes(nodes, parsed, options.isInsecure === true);
  return {
    clusterName: file.clusterName ?? null,
    configFile,
    dataDir: dataDirectory(file, configFile, options),
    nodes,
    voters: nodes.map((node) => node.id),
    settings,
    setNames: new Set(Object.keys(file.settings ?? {}) as SettingName[]),
  };
}

/** Absolute path of the cluster.yml to use. Throws CONFIG_INVALID when a named one is missing. */
function findConfigFile(cwd: string, named?: string): string {
  if (named !== undefined) {
    const path = resolve(cwd, named);
    if (!existsSync(path)) throw invalid(`there is no config file ${path}`);
    return path;
  }
  const local = join(cwd, 'cluster.yml');
  return existsSync(local) ? local : packagedConfigFile();
}

/**
 * `dataDir` lies beside its file. Only when the packaged file of an installed copy is used it lies
 * in the working directory, because npm owns, and empties, everything inside node_modules.
 */
function dataDirectory(file: ClusterFile, configFile: string, options: LoadOptions): string {
  if (options.dataDir !== undefined) return resolve(options.cwd, options.dataDir);
  const isInstalledCopy =
    configFile === packagedConfigFile() && configFile.includes(`${sep}node_modules${sep}`);
  const beside = isInstalledCopy ? options.cwd : dirname(configFile);
  return resolve(beside, file.dataDir ?? DEFAULT_DATA_DIR);
}

function readConfigText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new LograftError('CONFIG_INVALID', `cannot read ${path}: ${reason}`, undefined, {
      cause,
    });
  }
}

function completeNodes(file: ClusterFile, options: LoadOptions): NodeConfig[] {
  const entries = chosenEntries(file.nodes ?? DEFAULT_NODES, options.nodeCount);
  const basePort = options.basePort ?? file.basePort ?? DEFAULT_BASE_PORT;
  return entries
    .map((entry) => completeNode(entry, file, basePort, options.basePort !== undefined))
    .sort((a, b) => a.id - b.id);
}

function chosenEntries(entries: readonly NodeEntry[], count: number | undefined) {
  if (count === undefined) return entries;
  return Array.from(
    { length: count },
    (_, i) => entries.find((entry) => entry.id === i + 1) ?? { id: i + 1 },
  );
}

function completeNode(
  entry: NodeEntry,
  file: ClusterFile,
  basePort: number,
  isDerived: boolean,
): NodeConfig {
  const host = normalHost(entry.host ?? file.host ?? DEFAULT_HOST);
  const own = isDerived ? { id: entry.id } : entry;
  const kafkaPort = own.kafkaPort ?? basePort + entry.id - 1;
  return {
    id: entry.id,
    host,
    kafkaPort,
    peerPort: own.peerPort ?? basePort + PEER_PORT_SHIFT + entry.id,
    httpPort: own.httpPort ?? basePort + HTTP_PORT_SHIFT + entry.id,
    advertisedHost: normalHost(entry.advertisedHost ?? host),
    advertisedPort: own.advertisedPort ?? kafkaPort,
    rack: entry.rack ?? null,
  };
}

/**
 * cluster.yml speaks of three replicas, `--nodes 1` of one node: a factor from the file or the
 * registry is lowered to the nodes there are, one that was asked for explicitly is refused.
 */
function fitReplication(
  settings: BrokerSettings,
  nodeCount: number,
  overrides: readonly Override[],
): void {
  for (const name of ['default.replication.factor', 'offsets.topic.replication.factor'] as const) {
    if (settings[name] <= nodeCount) continue;
    const override = overrides.findLast((o) => o.path[0] === 'settings' && o.path[1] === name);
    if (override !== undefined) {
      throw invalid(`${override.label}: there are only ${nodeCount} nodes to hold replicas`);
    }
    settings[name] = nodeCount;
  }
}

/** Pairs that only make sense in one order. */
const ORDERED: readonly (readonly [SettingName, SettingName])[] = [
  ['raft.heartbeat.interval.ms', 'raft.election.timeout.ms'],
  ['broker.heartbeat.interval.ms', 'broker.session.timeout.ms'],
  ['group.min.session.timeout.ms', 'group.max.session.timeout.ms'],
];

function checkSettings(settings: BrokerSettings, parsed: ParsedClusterFile): void {
  for (const [less, more] of ORDERED) {
    if (settings[less] < settings[more]) continue;
    throw invalid(
      `${parsed.where(['settings', less])}: ${less} (${settings[less]}) must be less than ` +
        `${more} (${settings[more]})`,
    );
  }
}

const PORT_HINT = 'choose other ports with --base-port or in cluster.yml';

function checkNodes(
  nodes: readonly NodeConfig[],
  parsed: ParsedClusterFile,
  isInsecure: boolean,
): void {
  const ids = new Set<number>();
  const used = new Map<string, string>();
  for (const node of nodes) {
    const index = parsed.value.nodes?.findIndex((entry) => entry.id === node.id) ?? -1;
    const where = (key: string) => parsed.where(['nodes', Math.max(index, 0), key]);
    if (ids.has(node.id)) throw invalid(`${where('id')}: two nodes have the id ${node.id}`);
    ids.add(node.id);
    const hasOwnHost = parsed.value.nodes?.[index]?.host !== undefined;
    checkHosts(node, hasOwnHost ? where('host') : parsed.where(['host']), isInsecure);
    for (const key of ['kafkaPort', 'peerPort', 'httpPort'] as const) {
      const owner = `${key} of node ${node.id}`;
      if (node[key] > 65_535) {
        throw invalid(`${where(key)}: ${owner} would be ${node[key]}, above 65535`, PORT_HINT);
      }
      const other = used.get(`${node.host}:${node[key]}`);
      if (other !== undefined) {
        throw invalid(`${where(key)}: ${node[key]} is both ${other} and ${owner}`, PORT_HINT);
      }
      used.set(`${node.host}:${node[key]}`, owner);
    }
  }
}

function checkHosts(node: NodeConfig, where: string, isInsecure: boolean): void {
  if (isWildcard(node.advertisedHost)) {
    throw invalid(
      `${where}: node ${node.id} listens on every address (${node.host}) and needs an ` +
        'advertisedHost that clients and other nodes can reach',
    );
  }
  if (isLoopback(node.host) || isInsecure) return;
  throw invalid(
    `${where}: node ${node.id} would listen on ${node.host}, where anybody could read and write`,
    'there is no authentication yet: listen on 127.0.0.1, or accept it with --insecure',
  );
}

function invalid(message: string, hint?: string): LograftError {
  return new LograftError('CONFIG_INVALID', message, hint);
}
