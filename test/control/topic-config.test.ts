/** Topic configs: checks, changes, values in force and where they come from. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SETTINGS, defaultSettings } from '#src/broker/settings.js';
import {
  changeConfigs,
  describeConfigs,
  effectiveConfigs,
  refuseConfigs,
} from '#src/control/topic-config.js';
import { TOPIC_CONFIGS } from '#src/control/topic-config-registry.js';

const DEFAULTS = { defaults: defaultSettings(), explicit: {} };

function refusal(name: string, value: string): string | null {
  return refuseConfigs({ [name]: value })?.message ?? null;
}

test('every default is a value that would be accepted, and names a setting that exists', () => {
  assert.is(refuseConfigs(effectiveConfigs({}, DEFAULTS)), null);
  for (const info of TOPIC_CONFIGS) {
    assert.ok((info.brokerSetting === null) !== (info.fixedDefault === null), info.name);
    const { brokerSetting } = info;
    if (brokerSetting === null) continue;
    assert.ok(
      SETTINGS.some(({ name }) => name === brokerSetting),
      info.name,
    );
  }
});

test('values are checked by type, bounds and choices', () => {
  assert.is(refusal('retention.ms', '-1'), null);
  assert.is(refusal('retention.ms', '9223372036854775807'), null);
  assert.is(refusal('cleanup.policy', 'delete'), null);
  assert.match(refusal('retention.ms', '-2') ?? '', /must be at least -1/);
  assert.match(refusal('retention.ms', '1h') ?? '', /Not a number of type LONG/);
  assert.match(refusal('retention.ms', '9223372036854775808') ?? '', /Not a number of type LONG/);
  assert.match(refusal('retention.ms', '') ?? '', /Not a number/);
  assert.match(refusal('segment.bytes', '2147483648') ?? '', /no more than 2147483647/);
  assert.match(refusal('cleanup.policy', 'compact') ?? '', /compaction is not supported yet/);
  assert.match(refusal('cleanup.policy', 'compact,delete') ?? '', /not supported yet/);
  assert.match(refusal('cleanup.policy', '') ?? '', /not supported yet/);
  assert.match(refusal('durability', 'sometimes') ?? '', /synced, cached/);
  assert.match(refusal('unclean.leader.election.enable', 'true') ?? '', /only false/);
  assert.match(refusal('min.cleanable.dirty.ratio', '1.5') ?? '', /no more than 1/);
  assert.is(refusal('retention.mss', '1'), 'Unknown topic config name: retention.mss');
  assert.match(refusal('cleanup.policy', 'delete,'.repeat(1_000)) ?? '', /longer than/);
  assert.is(refusal('constructor', '1'), 'Unknown topic config name: constructor');
});

test('describe is honest about where a value comes from', () => {
  const explicit = { 'log.retention.ms': 1000 };
  const configs = { 'retention.ms': '5' };
  const [entry] = describeConfigs(configs, { ...DEFAULTS, explicit }, ['retention.ms']);
  assert.is(entry?.value, '5');
  assert.is(entry?.source, 'DYNAMIC_TOPIC_CONFIG');
  assert.is(entry?.isDefault, false);
  assert.equal(entry?.synonyms, [
    { name: 'retention.ms', value: '5', source: 'DYNAMIC_TOPIC_CONFIG' },
    { name: 'log.retention.ms', value: '1000', source: 'STATIC_BROKER_CONFIG' },
    { name: 'log.retention.ms', value: '604800000', source: 'DEFAULT_CONFIG' },
  ]);
  const all = describeConfigs({}, DEFAULTS, null);
  assert.is(all.length, TOPIC_CONFIGS.length);
  for (const { name, source, isDefault, isSensitive } of all) {
    assert.is(source, 'DEFAULT_CONFIG', name);
    assert.ok(isDefault && !isSensitive, name);
  }
  assert.equal(describeConfigs({}, DEFAULTS, ['nothing.such']), []);
});

test('values in force: topic, then setting, then default; numbers stay safe', () => {
  const defaults = { ...DEFAULTS, explicit: { 'log.segment.bytes': 65536 } };
  const inForce = effectiveConfigs({ 'retention.ms': '9223372036854775807' }, defaults);
  assert.is(inForce['retention.ms'], String(Number.MAX_SAFE_INTEGER));
  assert.is(inForce['segment.bytes'], '65536');
  assert.is(inForce.durability, 'synced');
});

test('incremental changes: set, delete, append, subtract', () => {
  const change = (
    configs: Record<string, string>,
    operation: 'set' | 'delete' | 'append' | 'subtract',
    name: string,
    value: string | null,
  ): unknown => changeConfigs(configs, [{ name, operation, value }], DEFAULTS);
  assert.equal(change({}, 'set', 'retention.ms', '7'), { configs: { 'retention.ms': '7' } });
  assert.equal(change({ 'retention.ms': '7' }, 'delete', 'retention.ms', null), { configs: {} });
  assert.equal(change({}, 'append', 'cleanup.policy', 'delete'), {
    configs: { 'cleanup.policy': 'delete' },
  });
  assert.match(JSON.stringify(change({}, 'append', 'cleanup.policy', 'compact')), /INVALID_CONFIG/);
  assert.match(
    JSON.stringify(change({}, 'subtract', 'cleanup.policy', 'delete')),
    /INVALID_CONFIG/,
  );
  assert.match(JSON.stringify(change({}, 'append', 'retention.ms', '7')), /not allowed/);
  assert.match(JSON.stringify(change({}, 'set', 'retention.ms', null)), /Null value/);
  assert.match(JSON.stringify(change({}, 'set', 'nothing', '1')), /Unknown topic config name/);
  const twice = [
    { name: 'retention.ms', operation: 'set', value: '1' },
    { name: 'retention.ms', operation: 'set', value: '2' },
  ] as const;
  assert.match(JSON.stringify(changeConfigs({}, twice, DEFAULTS)), /INVALID_REQUEST/);
});

test.run();
