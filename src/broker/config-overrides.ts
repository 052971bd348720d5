/**
 * `--set k=v` and LOGRAFT_… variables as typed values at a path of cluster.yml. A key is a setting
 * (`num.partitions`), a key of the file (`dataDir`) or one of a node (`nodes.2.rack`). Its one
 * promise: a slip in a key is an error with the nearest right one, never silently without effect.
 *
 *     num.partitions = LOGRAFT_NUM_PARTITIONS     basePort = LOGRAFT_BASE_PORT
 *     nodes.2.advertisedHost = LOGRAFT_NODES_2_ADVERTISED_HOST
 */
import { LograftError } from '../base/errors.js';
import { allowedKeys, nearestName, wantedType } from './config-schema.js';

export type Override = {
  /** How the user gave it: `--set num.partitions=6`. */
  readonly label: string;
  /** `nodes` paths carry the node's id, not its index in the list. */
  readonly path: readonly string[];
  readonly value: string | number | boolean;
};

const ENV_PREFIX = 'LOGRAFT_';
/** Variables that are no settings: see cli/cluster and the replica's forgetful state. */
const RESERVED = new Set(['LOGRAFT_SUPERVISOR_PID', 'LOGRAFT_SUPERVISOR_START', 'LOGRAFT_BOOT_ID']);
const SLIP_DISTANCE_MAX = 3;
const PLAIN_KEYS = ['clusterName', 'dataDir', 'host', 'basePort'];

/** In rising precedence: the environment first, then `sets` in their order. */
export function overridesOf(
  env: Readonly<Record<string, string | undefined>>,
  sets: readonly string[],
): readonly Override[] {
  return [...environmentOverrides(env), ...sets.map(setOverride)];
}

/** The variable that sets `key`. */
export function environmentName(key: string): string {
  const words = key.replaceAll(/([a-z])([A-Z])/g, '$1_$2').replaceAll(/[.-]/g, '_');
  return `${ENV_PREFIX}${words.toUpperCase()}`;
}

function setOverride(text: string): Override {
  const equals = text.indexOf('=');
  if (equals < 1) throw invalid(`--set ${text}: expected KEY=VALUE, such as num.partitions=6`);
  const key = text.slice(0, equals).trim();
  const path = pathOf(key);
  if (path === undefined) {
    const nearest = nearestName(key, knownKeys());
    const advice = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
    throw invalid(`--set ${text}: there is no setting "${key}"${advice}`);
  }
  return { label: `--set ${text}`, path, value: typed(path, text.slice(equals + 1).trim()) };
}

function environmentOverrides(env: Readonly<Record<string, string | undefined>>): Override[] {
  const keys = new Map(knownKeys().map((key) => [environmentName(key), key]));
  const found: Override[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || RESERVED.has(name) || text === undefined) continue;
    const key = keys.get(name) ?? nodeKey(name) ?? '';
    const path = pathOf(key);
    if (path !== undefined) {
      const value = typed(path, text.trim());
      found.push({ label: `${name}=${text}`, path, value });
      continue;
    }
    // Other programs may use the prefix, so only what looks like a slip is refused.
    const nearest = nearestName(name, [...keys.keys()], SLIP_DISTANCE_MAX);
    if (nearest !== undefined) {
      throw invalid(`${name}: there is no such setting; did you mean ${nearest}?`);
    }
  }
  return found;
}

function nodeKey(name: string): string | undefined {
  const match = /^LOGRAFT_NODES_(\d+)_(.+)$/.exec(name);
  const key = allowedKeys(['nodes']).find(
    (k) => environmentName(k) === `${ENV_PREFIX}${match?.[2]}`,
  );
  return match === null || key === undefined ? undefined : `nodes.${match[1]}.${key}`;
}

function knownKeys(): string[] {
  return [...allowedKeys(['settings']), ...PLAIN_KEYS];
}

function pathOf(key: string): readonly string[] | undefined {
  const bare = key.startsWith('settings.') ? key.slice('settings.'.length) : key;
  if (allowedKeys(['settings']).includes(bare)) return ['settings', bare];
  if (PLAIN_KEYS.includes(key)) return [key];
  const [head, id, field, ...rest] = key.split('.');
  const isNodeKey = head === 'nodes' && rest.length === 0 && /^\d+$/.test(id ?? '');
  if (!isNodeKey || field === undefined || field === 'id') return undefined;
  return allowedKeys(['nodes']).includes(field) ? ['nodes', id as string, field] : undefined;
}

/** What does not look like the wanted type stays text, so that the schema refuses it by name. */
function typed(path: readonly string[], text: string): string | number | boolean {
  const wanted = wantedType(path);
  if (wanted === 'integer' && /^[+-]?\d+$/.test(text)) return Number(text);
  if (wanted === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function invalid(message: string): LograftError {
  return new LograftError('CONFIG_INVALID', message, 'cluster.yml documents every setting');
}
