/**
 * Settings as DescribeConfigs shows them: a topic's configs over the broker's settings over the
 * defaults, and the broker's own. Any thread.
 */
import {
  type ConfigEntry,
  type ConfigSource,
  type ConfigSynonym,
  describeConfigs,
  type TopicDefaults,
} from '../control/topic-config.js';
import type { ConfigReader } from '../handlers/context.js';
import type { ClusterConfig } from './config.js';
import { defaultSettings, SETTINGS, type SettingInfo } from './settings.js';

/** What topics inherit from this cluster's settings. */
export function topicDefaults({ settings, setNames }: ClusterConfig): TopicDefaults {
  const explicit = Object.fromEntries([...setNames].map((name) => [name, settings[name]]));
  return { defaults: defaultSettings(), explicit };
}

export function configReader(cluster: ClusterConfig, listen: string): ConfigReader {
  const defaults = topicDefaults(cluster);
  return {
    topic: (configs, names) => describeConfigs(configs, defaults, names),
    broker: (names) => {
      const wanted = names === null ? null : new Set(names);
      return [
        ...SETTINGS.map((info) => describeSetting(cluster, info)),
        ...facts(cluster, listen),
      ].filter(({ name }) => wanted === null || wanted.has(name));
    },
  };
}

function describeSetting({ settings, setNames }: ClusterConfig, info: SettingInfo): ConfigEntry {
  const { name, type, doc } = info;
  const value = String(settings[name]);
  const source: ConfigSource = setNames.has(name) ? 'STATIC_BROKER_CONFIG' : 'DEFAULT_CONFIG';
  const inherited: ConfigSynonym = {
    name,
    value: String(info.defaultValue),
    source: 'DEFAULT_CONFIG',
  };
  const synonyms = setNames.has(name) ? [{ name, value, source }, inherited] : [inherited];
  return entry(name, value, source, { type, documentation: doc, synonyms });
}

/** What is fixed by the layout of the cluster rather than by a setting. */
function facts({ dataDir }: ClusterConfig, listen: string): ConfigEntry[] {
  const fixed = (name: string, value: string, documentation: string): ConfigEntry =>
    entry(name, value, 'STATIC_BROKER_CONFIG', { type: 'string', documentation, synonyms: [] });
  return [
    fixed('log.dirs', dataDir, 'Where the nodes keep their data.'),
    fixed('listeners', `PLAINTEXT://${listen}`, 'Where this node listens for clients.'),
    fixed('process.roles', 'broker,controller', 'Every node is both.'),
  ];
}

function entry(
  name: string,
  value: string,
  source: ConfigSource,
  more: Pick<ConfigEntry, 'type' | 'documentation' | 'synonyms'>,
): ConfigEntry {
  const isDefault = source === 'DEFAULT_CONFIG';
  return { name, value, source, isDefault, isReadOnly: true, isSensitive: false, ...more };
}
