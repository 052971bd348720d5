/**
 * Topic configs at work: checking what a client sets, changing a topic's set step by step, the
 * values in force, and what DescribeConfigs says of each (value, source, synonyms). Pure.
 */
import { CONFIG_VALUE_LENGTH_MAX } from './limits.js';
import type { ConfigChange, Refusal } from './operations.js';
import {
  TOPIC_CONFIGS,
  type TopicConfigInfo,
  type TopicConfigType,
  topicConfigByName,
} from './topic-config-registry.js';

export type Configs = Readonly<Record<string, string>>;

type SettingValue = string | number | boolean;

/** The broker settings of this node that hold defaults of topic configs. */
export type TopicDefaults = {
  /** Default of every setting. */
  readonly defaults: Readonly<Record<string, SettingValue>>;
  /** Settings that the operator has set (cluster.yml, `--set`, environment). */
  readonly explicit: Readonly<Record<string, SettingValue>>;
};

/** Kafka's names of where a value comes from, most specific first. */
export type ConfigSource = 'DYNAMIC_TOPIC_CONFIG' | 'STATIC_BROKER_CONFIG' | 'DEFAULT_CONFIG';

export type ConfigSynonym = {
  readonly name: string;
  readonly value: string;
  readonly source: ConfigSource;
};

export type ConfigEntry = {
  readonly name: string;
  readonly value: string;
  readonly type: TopicConfigType;
  readonly source: ConfigSource;
  readonly isDefault: boolean;
  readonly isReadOnly: boolean;
  readonly isSensitive: boolean;
  /** From the value in force down to the default; the first is the entry itself. */
  readonly synonyms: readonly ConfigSynonym[];
  readonly documentation: string;
};

/** First reason why these may not be a topic's configs; null when they may. */
export function refuseConfigs(configs: Configs): Refusal | null {
  for (const [name, value] of Object.entries(configs)) {
    const info = topicConfigByName(name);
    const problem =
      info === undefined ? `Unknown topic config name: ${name}` : problemOf(info, value);
    if (problem !== null) return { error: 'INVALID_CONFIG', message: problem };
  }
  return null;
}

/** A topic's configs after IncrementalAlterConfigs' changes, or the first reason against them. */
export function changeConfigs(
  configs: Configs,
  changes: readonly ConfigChange[],
  defaults: TopicDefaults,
): { readonly configs: Configs } | Refusal {
  const next = new Map(Object.entries(configs));
  const seen = new Set<string>();
  for (const change of changes) {
    if (seen.has(change.name)) {
      return {
        error: 'INVALID_REQUEST',
        message: `Error due to duplicate config keys: ${change.name}`,
      };
    }
    seen.add(change.name);
    const problem = applyChange(next, change, defaults);
    if (problem !== null) return { error: 'INVALID_CONFIG', message: problem };
  }
  const changed = Object.fromEntries(next);
  return refuseConfigs(changed) ?? { configs: changed };
}

/**
 * Value in force of every topic config; int64 values beyond a safe integer are cut to the largest.
 */
export function effectiveConfigs(
  configs: Configs,
  defaults: TopicDefaults,
): Record<string, string> {
  return Object.fromEntries(
    TOPIC_CONFIGS.map((info) => [
      info.name,
      cutToSafe(info, valueInForce(info, configs, defaults)),
    ]),
  );
}

/** What DescribeConfigs answers for a topic; `names` null for all. Unknown names are left out. */
export function describeConfigs(
  configs: Configs,
  defaults: TopicDefaults,
  names: readonly string[] | null,
): ConfigEntry[] {
  const wanted = names === null ? null : new Set(names);
  return TOPIC_CONFIGS.filter((info) => wanted === null || wanted.has(info.name)).map((info) =>
    describeOne(info, configs, defaults),
  );
}

function describeOne(
  info: TopicConfigInfo,
  configs: Configs,
  defaults: TopicDefaults,
): ConfigEntry {
  const synonyms = synonymsOf(info, configs, defaults);
  const [first] = synonyms as [ConfigSynonym];
  return {
    name: info.name,
    value: first.value,
    type: info.type,
    source: first.source,
    isDefault: first.source === 'DEFAULT_CONFIG',
    isReadOnly: false,
    isSensitive: false,
    synonyms,
    documentation: info.doc,
  };
}

function synonymsOf(
  info: TopicConfigInfo,
  configs: Configs,
  { defaults, explicit }: TopicDefaults,
): ConfigSynonym[] {
  const synonyms: ConfigSynonym[] = [];
  const add = (
    name: string,
    value: SettingValue | null | undefined,
    source: ConfigSource,
  ): void => {
    if (value !== undefined && value !== null)
      synonyms.push({ name, value: String(value), source });
  };
  add(info.name, configs[info.name], 'DYNAMIC_TOPIC_CONFIG');
  const setting = info.brokerSetting;
  if (setting === null) {
    add(info.name, info.fixedDefault, 'DEFAULT_CONFIG');
  } else {
    add(setting, explicit[setting], 'STATIC_BROKER_CONFIG');
    add(setting, defaults[setting], 'DEFAULT_CONFIG');
  }
  return synonyms;
}

function valueInForce(info: TopicConfigInfo, configs: Configs, defaults: TopicDefaults): string {
  return (synonymsOf(info, configs, defaults) as [ConfigSynonym])[0].value;
}

/** Changes `next` in place; returns what is wrong with the change, else null. */
function applyChange(
  next: Map<string, string>,
  { name, operation, value }: ConfigChange,
  defaults: TopicDefaults,
): string | null {
  const info = topicConfigByName(name);
  if (info === undefined) return `Unknown topic config name: ${name}`;
  if (operation === 'delete') {
    next.delete(name);
    return null;
  }
  if (value === null) return `Null value not supported for topic configs: ${name}`;
  if (operation === 'set') {
    next.set(name, value);
    return null;
  }
  if (info.type !== 'list')
    return `Config value ${operation} is not allowed for config key: ${name}`;
  const before = elementsOf(next.get(name) ?? valueInForce(info, {}, defaults));
  const named = elementsOf(value);
  const kept = before.filter((element) => !named.includes(element));
  next.set(name, (operation === 'append' ? [...kept, ...named] : kept).join(','));
  return null;
}

function problemOf(info: TopicConfigInfo, value: string): string | null {
  const invalid = (why: string): string =>
    `Invalid value ${value} for configuration ${info.name}: ${why}`;
  const { type, choices } = info;
  if (value.length > CONFIG_VALUE_LENGTH_MAX) {
    return `Invalid value for configuration ${info.name}: longer than ${CONFIG_VALUE_LENGTH_MAX}`;
  }
  if (type === 'int' || type === 'long' || type === 'double') {
    const problem = numberProblem(info, value.trim());
    return problem === null ? null : invalid(problem);
  }
  if (choices === null) return null;
  const elements = type === 'list' ? elementsOf(value) : [value.trim()];
  const isKnown = elements.length > 0 && elements.every((element) => choices.includes(element));
  if (isKnown) return null;
  return invalid(info.refusal ?? `String must be one of: ${choices.join(', ')}`);
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

function numberProblem({ type, min, max }: TopicConfigInfo, text: string): string | null {
  if (type === 'double') {
    if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text))
      return 'Not a number of type DOUBLE';
  } else {
    if (!/^[+-]?\d{1,19}$/.test(text)) return `Not a number of type ${type.toUpperCase()}`;
    const exact = BigInt(text.replace('+', ''));
    if (exact < INT64_MIN || exact > INT64_MAX) return `Not a number of type ${type.toUpperCase()}`;
  }
  const number = Number(text);
  if (min !== null && number < min) return `Value must be at least ${min}`;
  if (max !== null && number > max) return `Value must be no more than ${max}`;
  return null;
}

function cutToSafe({ type }: TopicConfigInfo, value: string): string {
  if (type !== 'long') return value.trim();
  return String(Math.min(Number(value), Number.MAX_SAFE_INTEGER));
}

function elementsOf(list: string): string[] {
  return list
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}
