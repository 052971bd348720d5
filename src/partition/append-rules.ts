/** From a topic's configs in force to what its partitions enforce. Pure. */
import { assert } from '../base/assert.js';
import type { AppendRules } from './incoming-batch.js';

export function appendRulesOf(configs: Readonly<Record<string, string>>): AppendRules {
  return {
    batchBytesMax: numberOf(configs, 'max.message.bytes'),
    isLogAppendTime: configs['message.timestamp.type'] === 'LogAppendTime',
    timestampBeforeMsMax: numberOf(configs, 'message.timestamp.before.max.ms'),
    timestampAfterMsMax: numberOf(configs, 'message.timestamp.after.max.ms'),
  };
}

export function minInSyncOf(configs: Readonly<Record<string, string>>): number {
  return numberOf(configs, 'min.insync.replicas');
}

function numberOf(configs: Readonly<Record<string, string>>, name: string): number {
  const value = Number(configs[name]);
  // Configs in force always hold every name: the controller has checked them.
  assert(Number.isFinite(value), 'topic config in force', { name, value: configs[name] });
  return value;
}
