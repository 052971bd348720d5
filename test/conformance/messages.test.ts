/**
 * Our tables against Kafka's own message definitions, field by field: name, wire order, type,
 * versions, nullable versions, tag, default and the first flexible version, in the versions that
 * both sides have. The definitions are JSON files in the client jar, read here and not copied. time
 * limit: 180 s
 */
import { API_BY_KEY, advertisedApis } from '#src/protocol/api-keys.js';
import type { Api, Field, Fields, Message, VersionRange } from '#src/protocol/schema.js';
import { parseVersions } from '#src/protocol/schema.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testWith } from '../support/requires.js';
import { findClientsJar } from './kafka-jar.js';
import { readZip } from './zip.js';

type JsonField = {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly tag?: number;
  readonly default?: string | number | boolean;
  readonly fields?: readonly JsonField[];
};

type JsonMessage = {
  readonly apiKey: number;
  readonly type: string;
  readonly name: string;
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly fields: readonly JsonField[];
  readonly commonStructs?: readonly { name: string; fields: readonly JsonField[] }[];
};

/** One line per field, in wire order with the tagged ones at the end: the form that is compared. */
type Line = string;

const found = await findClientsJar();
const definitions = 'path' in found ? loadDefinitions(found.path) : new Map<string, JsonMessage>();
const testJar = testWith('missing' in found ? found.missing : null);

function loadDefinitions(path: string): Map<string, JsonMessage> {
  const files = readZip(path, (name) => /^common\/message\/\w+\.json$/.test(name));
  const messages = [...files.values()].map((file) => {
    // Whole-line comments are the only ones in there.
    const json = file.replace(/^\s*\/\/.*$/gm, '');
    return JSON.parse(json) as JsonMessage;
  });
  return new Map(messages.map((message) => [message.name, message]));
}

/** None without a jar: then the one test that is not per message stands for all that is skipped. */
const comparedApis = 'missing' in found ? [] : [...API_BY_KEY.values()].filter(isPublic);

for (const api of comparedApis) {
  for (const message of [api.request, api.response]) {
    testJar(`${message.name} is what Kafka defines`, () => {
      const theirs = definitions.get(message.name);
      assert.ok(theirs !== undefined, `${message.name} is not in the jar`);
      assert.is(theirs.apiKey, api.key);
      const both = intersect(message.versions, parse(theirs.validVersions));
      assert.ok(both !== null, 'no version in common');
      assert.is(flexibleIn(both, theirs.flexibleVersions), flexibleIn(both, ourFlexible(message)));
      assert.equal(ourLines(message.fields, both), theirLines(theirs, theirs.fields, both));
    });
  }
}

testJar('every version that is served is one that Kafka still defines', () => {
  for (const { name, serveFrom, advertised } of advertisedApis()) {
    const theirs = parse(definitions.get(`${name}Request`)?.validVersions ?? 'none');
    const served = { min: serveFrom, max: advertised.max };
    assert.equal(theirs && intersect(theirs, served), served, name);
  }
});

test('the comparison notices a difference', () => {
  const [name, field] = ['acks', API_BY_KEY.get(0)?.request.fields['acks'] as Field];
  const range = { min: 3, max: 11 };
  const same = { name: 'Acks', type: 'int16', versions: '0+' };
  const message = { fields: [], commonStructs: [] } as unknown as JsonMessage;
  const ours = ourLines({ [name]: field }, range);
  assert.equal(ours, ['acks int16 3-11 null:none tag:none default:0']);
  assert.equal(theirLines(message, [same], range), ours);
  for (const change of [
    { name: 'Ack' },
    { type: 'int32' },
    { versions: '4+' },
    { nullableVersions: '5+' },
    { taggedVersions: '9+', tag: 0 },
    { default: '-1' },
  ]) {
    assert.not.equal(theirLines(message, [{ ...same, ...change }], range), ours);
  }
});

function isPublic(api: Api): boolean {
  return !api.isPrivate;
}

function ourFlexible(message: Message): string {
  return message.flexibleFrom === Infinity ? 'none' : `${message.flexibleFrom}+`;
}

function flexibleIn(range: VersionRange, flexible: string): string {
  return rangeText(range, parse(flexible));
}

function ourLines(fields: Fields, range: VersionRange, prefix = ''): Line[] {
  const present = Object.entries(fields).filter(([, field]) => intersect(field.versions, range));
  const lines = present.map(([name, field]) => {
    const inner = field.fields ?? field.element?.fields ?? null;
    const head = describe(prefix + name, typeOf(field), range, {
      versions: field.versions,
      nullable: field.nullable,
      tagged: field.tag === null ? null : field.versions,
      tag: field.tag,
      defaultText: ourDefault(field),
    });
    const within = intersect(field.versions, range) ?? range;
    return [head, ...(inner === null ? [] : ourLines(inner, within, `${prefix}${name}.`))];
  });
  return order(lines, (i) => present[i]?.[1].tag ?? null);
}

function theirLines(
  message: JsonMessage,
  fields: readonly JsonField[],
  range: VersionRange,
  prefix = '',
): Line[] {
  const present = fields.filter((field) => overlap(field.versions, range));
  const lines = present.map((field) => {
    const name = prefix + field.name.charAt(0).toLowerCase() + field.name.slice(1);
    const bare = field.type.replace('[]', '');
    const common = message.commonStructs?.find((struct) => struct.name === bare);
    const inner = field.fields ?? common?.fields ?? null;
    const type = inner === null ? field.type : field.type.replace(bare, 'struct');
    const head = describe(name, type, range, {
      versions: parse(field.versions),
      nullable: parse(field.nullableVersions ?? 'none'),
      tagged: parse(field.taggedVersions ?? 'none'),
      tag: field.tag ?? null,
      defaultText: theirDefault(field),
    });
    const within = overlap(field.versions, range) ?? range;
    return [head, ...(inner === null ? [] : theirLines(message, inner, within, `${name}.`))];
  });
  return order(lines, (i) => present[i]?.tag ?? null);
}

function describe(
  name: string,
  type: string,
  range: VersionRange,
  facts: {
    versions: VersionRange | null;
    nullable: VersionRange | null;
    tagged: VersionRange | null;
    tag: number | null;
    defaultText: string;
  },
): Line {
  const within = (facts.versions && intersect(facts.versions, range)) ?? range;
  const tag = facts.tag === null ? 'none' : `${facts.tag}@${rangeText(within, facts.tagged)}`;
  const nullable = `null:${rangeText(within, facts.nullable)}`;
  const versions = rangeText(range, facts.versions);
  return `${name} ${type} ${versions} ${nullable} tag:${tag} default:${facts.defaultText}`;
}

/** Plain fields in the order of the wire, then tagged ones by their tag. */
function order(lines: readonly Line[][], tagAt: (index: number) => number | null): Line[] {
  return lines
    .map((group, i) => ({ group, tag: tagAt(i) ?? -1 }))
    .sort((a, b) => a.tag - b.tag)
    .flatMap(({ group }) => group);
}

function typeOf(field: Field): string {
  return field.element === null ? field.kind : `[]${field.element.kind}`;
}

function ourDefault(field: Field): string {
  if (field.kind === 'array') return field.default === null ? 'null' : '[]';
  if (field.kind === 'struct') return '{}';
  if (field.kind === 'bytes') return 'empty';
  return JSON.stringify(field.default);
}

function theirDefault(field: JsonField): string {
  const given = field.default === undefined ? null : String(field.default);
  if (given === 'null') return 'null';
  if (field.type.startsWith('[]')) return '[]';
  switch (field.type) {
    case 'bool':
      return given ?? 'false';
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64':
      return String(Number(given ?? 0));
    case 'string':
      return JSON.stringify(given ?? '');
    case 'uuid':
      return JSON.stringify(given ?? 'AAAAAAAAAAAAAAAAAAAAAA');
    case 'bytes':
      return 'empty';
    case 'records':
      return 'null';
    default:
      return '{}';
  }
}

/** `3+`, `0-7`, a single `5`, or `none`. */
function parse(text: string): VersionRange | null {
  if (text === 'none') return null;
  if (/^\d+$/.test(text)) return { min: Number(text), max: Number(text) };
  return parseVersions(text as Parameters<typeof parseVersions>[0]);
}

function overlap(text: string, range: VersionRange): VersionRange | null {
  return intersect(parse(text), range);
}

function intersect(a: VersionRange | null, b: VersionRange | null): VersionRange | null {
  if (a === null || b === null) return null;
  const both = { min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) };
  return both.min <= both.max ? both : null;
}

function rangeText(within: VersionRange, range: VersionRange | null): string {
  const both = intersect(within, range);
  return both === null ? 'none' : `${both.min}-${both.max}`;
}

test.run();
