/**
 * Random values of a message, drawn from its table: what decoding can yield in one version. Fields
 * that the version lacks have their default. Also the canonical text form that two such values are
 * compared in.
 */
import { API_BY_KEY } from '#src/protocol/api-keys.js';
import type { Field, Fields, Message } from '#src/protocol/schema.js';
import { isIn } from '#src/protocol/schema.js';
import fc from 'fast-check';

type Struct = Record<string, unknown>;

/** Every message in every version that its table holds. */
export function everyMessageVersion(): { message: Message; version: number; label: string }[] {
  return [...API_BY_KEY.values()].flatMap(({ request, response }) =>
    [request, response].flatMap((message) => {
      const { min, max } = message.versions;
      return Array.from({ length: max - min + 1 }, (_, i) => ({
        message,
        version: min + i,
        label: `${message.name} v${min + i}`,
      }));
    }),
  );
}

export function messageValues(message: Message, version: number): fc.Arbitrary<Struct> {
  return structValues(message.fields, version);
}

/** The least value of a message: every field at its default. */
export function defaultValue(message: Message): Struct {
  return { ...(message.body.default as Struct) };
}

/** Text in which equal messages are equal: bytes as hex, wherever they lie. */
export function canonical(value: unknown): string {
  return JSON.stringify(plain(value));
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('bytes' in value && 'start' in value && 'length' in value) {
    const { bytes, start, length } = value as { bytes: Buffer; start: number; length: number };
    return plain(bytes.subarray(start, start + length));
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function structValues(fields: Fields, version: number): fc.Arbitrary<Struct> {
  return fc.record(
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, fieldValues(field, version)]),
    ),
    { noNullPrototype: true },
  );
}

function fieldValues(field: Field, version: number): fc.Arbitrary<unknown> {
  if (!isIn(field.versions, version)) return fc.constant(field.default);
  const values = valuesOf(field, version);
  const candidates = field.tag === null ? [values] : [values, fc.constant(field.default)];
  const isNullable = field.nullable !== null && isIn(field.nullable, version);
  return fc.oneof(...candidates, ...(isNullable ? [fc.constant(null)] : []));
}

function valuesOf(field: Field, version: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int16':
      return fc.integer({ min: -32768, max: 32767 });
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    case 'uuid':
      return someBytes(16, 16).map((bytes) => bytes.toString('base64url'));
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 200 });
    case 'text':
      return fc.string({ unit: 'binary', maxLength: 2000, size: 'large' });
    case 'bytes':
      return someBytes(0, 200);
    case 'records':
      return someBytes(0, 200).map((bytes) => ({ bytes, start: 0, length: bytes.length }));
    case 'array':
      return fc.array(valuesOf(field.element as Field, version), { maxLength: 3 });
    case 'struct':
      return structValues(field.fields as Fields, version);
  }
}

function someBytes(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));
}
