/**
 * Tables to writers, the mirror of `decode.ts`: each (message, version) is compiled once, on first
 * use. Fields that a version lacks are left out, missing optional fields get their default, tagged
 * fields that equal their default stay off the wire. Throws {@link CodecError} for a value that the
 * version cannot carry. Pure; any thread.
 */
import { assert } from '../base/assert.js';
import { CodecError } from './reader.js';
import type {
  EncodableFields,
  Field,
  Fields,
  Message,
  RecordsPart,
  RecordsSource,
} from './schema.js';
import { isIn } from './schema.js';
import type { Writer } from './writer.js';

type Write = (writer: Writer, value: unknown) => void;

type Shape = { readonly version: number; readonly isFlexible: boolean };

const compiled = new WeakMap<Message, (Write | undefined)[]>();

/** Appends the body of a message. `version` is one that the table holds. */
export function encodeMessage<F extends Fields>(
  message: Message<F>,
  version: number,
  writer: Writer,
  value: EncodableFields<F>,
): void {
  writerOf(message, version)(writer, value);
}

function writerOf(message: Message, version: number): Write {
  let writers = compiled.get(message);
  if (writers === undefined) compiled.set(message, (writers = []));
  let write = writers[version];
  if (write === undefined) {
    assert(isIn(message.versions, version), 'no such version', { name: message.name, version });
    const shape = { version, isFlexible: version >= message.flexibleFrom };
    write = writers[version] = fieldWriter('body', message.body, shape);
  }
  return write;
}

function fieldWriter(name: string, field: Field, shape: Shape): Write {
  const { isFlexible } = shape;
  switch (field.kind) {
    case 'bool':
      return (w, value) => w.bool(value as boolean);
    case 'int8':
      return (w, value) => w.int8(value as number);
    case 'int16':
      return (w, value) => w.int16(value as number);
    case 'int32':
      return (w, value) => w.int32(value as number);
    case 'int64':
      return (w, value) => w.int64(value as number);
    case 'uuid':
      return (w, value) => w.uuid(value as string);
    case 'string':
      return orNull(name, field, shape, (w, value) => w.string(value as string, isFlexible));
    case 'text':
      return orNull(name, field, shape, (w, value) => w.text(value as string, isFlexible));
    case 'bytes':
      return orNull(name, field, shape, (w, value) => {
        const bytes = value as Uint8Array;
        w.length(bytes.length, isFlexible);
        w.raw(bytes, 0, bytes.length);
      });
    case 'records':
      return orNull(name, field, shape, (w, value) =>
        writeRecords(w, value as RecordsSource, isFlexible),
      );
    case 'array':
      return arrayWriter(name, field, shape);
    case 'struct':
      return structWriter(field, shape);
  }
}

/** Wraps a writer of values with the rule for null (and for a required field that is missing). */
function orNull(name: string, field: Field, { version, isFlexible }: Shape, write: Write): Write {
  const isNullable = field.nullable !== null && isIn(field.nullable, version);
  const isShort = field.kind === 'string' && !isFlexible;
  return (w, value) => {
    if (value !== null && value !== undefined) {
      write(w, value);
    } else if (value === undefined || !isNullable) {
      throw new CodecError(`${String(value)} in ${name}, which version ${version} must have`);
    } else if (isShort) {
      w.int16(-1);
    } else {
      w.length(-1, isFlexible);
    }
  };
}

function writeRecords(w: Writer, source: RecordsSource, isFlexible: boolean): void {
  if (!isList(source)) {
    w.length(source.length, isFlexible);
    writePart(w, source);
    return;
  }
  w.length(
    source.reduce((sum, part) => sum + part.length, 0),
    isFlexible,
  );
  for (const part of source) writePart(w, part);
}

function isList(source: RecordsSource): source is readonly RecordsPart[] {
  return Array.isArray(source);
}

function writePart(w: Writer, part: RecordsPart): void {
  if ('external' in part) w.external(part);
  else w.raw(part.bytes, part.start, part.length);
}

function arrayWriter(name: string, field: Field, shape: Shape): Write {
  const writeElement = fieldWriter(name, field.element as Field, shape);
  const { isFlexible } = shape;
  return orNull(name, field, shape, (w, value) => {
    const elements = value as readonly unknown[];
    w.length(elements.length, isFlexible);
    for (let i = 0; i < elements.length; i++) writeElement(w, elements[i]);
  });
}

function structWriter(field: Field, shape: Shape): Write {
  const present = Object.entries(field.fields as Fields).filter(([, f]) =>
    isIn(f.versions, shape.version),
  );
  const plain = present.filter(([, f]) => f.tag === null);
  const names = plain.map(([name]) => name);
  const writes = plain.map(([name, f]) => fieldWriter(name, f, shape));
  // A required field has no stand-in: its writer refuses undefined.
  const standIns = plain.map(([, f]) => (f.isOptional ? f.default : undefined));
  const writeTags = shape.isFlexible ? tagsWriter(present, shape) : null;
  return (w, value) => {
    const struct = value as Readonly<Record<string, unknown>>;
    for (let i = 0; i < names.length; i++) {
      const given = struct[names[i] as string];
      (writes[i] as Write)(w, given === undefined ? standIns[i] : given);
    }
    if (writeTags !== null) writeTags(w, struct);
  };
}

/** Tags in ascending order, each with its size in front (KIP-482). */
function tagsWriter(
  present: readonly (readonly [string, Field])[],
  shape: Shape,
): (writer: Writer, struct: Readonly<Record<string, unknown>>) => void {
  const tagged = present
    .filter(([, field]) => field.tag !== null)
    .map(([name, field]) => ({ name, field, write: fieldWriter(name, field, shape) }))
    .sort((a, b) => (a.field.tag as number) - (b.field.tag as number));
  if (tagged.length === 0) return (w) => w.unsignedVarint(0);
  return (w, struct) => {
    const given = tagged.filter(({ name, field }) => !isDefault(field, struct[name]));
    w.unsignedVarint(given.length);
    for (const { name, field, write } of given) {
      w.unsignedVarint(field.tag as number);
      w.sized(() => write(w, struct[name]));
    }
  };
}

function isDefault(field: Field, value: unknown): boolean {
  if (value === undefined || value === field.default) return true;
  if (field.kind === 'array') {
    return field.default !== null && value !== null && (value as readonly unknown[]).length === 0;
  }
  if (field.kind !== 'struct') return false;
  return Object.entries(field.fields as Fields).every(([name, inner]) =>
    isDefault(inner, (value as Readonly<Record<string, unknown>>)[name]),
  );
}
