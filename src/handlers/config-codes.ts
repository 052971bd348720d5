/** Kafka's numbers of where a config's value comes from and of what type it is. */
import type { ConfigEntry, ConfigSource } from '../control/topic-config.js';

export const CONFIG_SOURCES: Readonly<Record<ConfigSource, number>> = {
  DYNAMIC_TOPIC_CONFIG: 1,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
};
export const CONFIG_TYPES: Readonly<Record<ConfigEntry['type'], number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
};
