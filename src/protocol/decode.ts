/**
 * Tables to readers: each (message, version) is compiled once, on first use, into closures that
 * know nothing of versions any more. Promise: only {@link CodecError} for bad bytes; unknown tags
 * are skipped; bytes after the body are ignored (librdkafka 2.12 to 2.15 send some); `records` stay
 * where they are. Pure; any thread.
 */
import { assert } from '../base/assert.js';
import { CodecError, Reader, TAG_BYTES_MIN } from './reader.js';
import type { DecodedFields, Field, Fields, Message, RecordsView } from './schema.js';
import { isIn } from './schema.js';

type Read = (reader: Reader) => unknown;

/** What compilation needs to know of the version. */
type Shape = { readonly version: number; readonly isFlexible: boolean };

const compiled = new WeakMap<Message, (Read | undefined)[]>();

/** Decodes the body that lies in [start, end) of `bytes`. `version` is one that the table holds. */
export function decodeMessage<F extends Fields>(
  message: Message<F>,
  version: number,
  bytes: Buffer,
  start: number,
  end: number,
): DecodedFields<F> {
  const read = readerOf(message, version);
  return read(new Reader(bytes, start, end)) as DecodedFields<F>;
}

function readerOf(message: Message, version: number): Read {
  let readers = compiled.get(message);
  if (readers === undefined) compiled.set(message, (readers = []));
  let read = readers[version];
  if (read === undefined) {
    assert(isIn(message.versions, version), 'no such version', { name: message.name, version });
    const shape = { version, isFlexible: version >= message.flexibleFrom };
    read = readers[version] = fieldReader('body', message.body, shape);
  }
  return read;
}

function fieldReader(name: string, field: Field, shape: Shape): Read {
  switch (field.kind) {
    case 'bool':
      return (r) => r.int8() !== 0;
    case 'int8':
      return (r) => r.int8();
    case 'int16':
      return (r) => r.int16();
    case 'int32':
      return (r) => r.int32();
    case 'int64':
      return (r) => r.int64();
    case 'uuid':
      return (r) => r.uuid();
    case 'string':
      return lengthReader(name, field, shape, (r, length) => r.string(length));
    case 'text':
      return lengthReader(name, field, shape, (r, length) => r.text(length));
    case 'bytes':
      return lengthReader(name, field, shape, (r, length) => r.copy(length));
    case 'records':
      return lengthReader(name, field, shape, readRecords);
    case 'array':
      return arrayReader(name, field, shape);
    case 'struct':
      return structReader(field, shape);
  }
}

function readRecords(r: Reader, length: number): RecordsView {
  return { bytes: r.bytes, start: r.skip(length), length };
}

/** A value behind its length; a length of -1 is null where the version allows it. */
function lengthReader(
  name: string,
  field: Field,
  { version, isFlexible }: Shape,
  read: (reader: Reader, length: number) => unknown,
): Read {
  const isNullable = field.nullable !== null && isIn(field.nullable, version);
  const onNull = (): null => {
    if (isNullable) return null;
    throw new CodecError(`null in ${name}, which is not nullable in version ${version}`);
  };
  if (isFlexible) {
    return (r) => {
      const length = r.compactLength();
      return length < 0 ? onNull() : read(r, length);
    };
  }
  if (field.kind === 'string') {
    return (r) => {
      const length = r.length16();
      return length < 0 ? onNull() : read(r, length);
    };
  }
  return (r) => {
    const length = r.length32();
    return length < 0 ? onNull() : read(r, length);
  };
}

function arrayReader(name: string, field: Field, shape: Shape): Read {
  const element = field.element as Field;
  const readElement = fieldReader(name, element, shape);
  const elementBytesMin = Math.max(1, bytesMin(element, shape));
  const isBudgeted = element.kind !== 'int32';
  return lengthReader(name, field, shape, (r, count) => {
    r.checkCount(count, elementBytesMin);
    if (isBudgeted) r.spendElements(count);
    const elements: unknown[] = [];
    for (let i = 0; i < count; i++) elements.push(readElement(r));
    return elements;
  });
}

function structReader(field: Field, shape: Shape): Read {
  const present = Object.entries(field.fields as Fields).filter(([, f]) =>
    isIn(f.versions, shape.version),
  );
  const plain = present.filter(([, f]) => f.tag === null);
  const names = plain.map(([name]) => name);
  const reads = plain.map(([name, f]) => fieldReader(name, f, shape));
  const readTags = shape.isFlexible ? tagsReader(present, shape) : null;
  // Copying the defaults gives every object of a table one shape, whatever the version lacks.
  const template = { ...(field.default as Record<string, unknown>) };
  return (r) => {
    const struct = { ...template };
    for (let i = 0; i < names.length; i++) struct[names[i] as string] = (reads[i] as Read)(r);
    if (readTags !== null) readTags(r, struct);
    return struct;
  };
}

function tagsReader(
  present: readonly (readonly [string, Field])[],
  shape: Shape,
): (reader: Reader, struct: Record<string, unknown>) => void {
  const known = new Map<number, { readonly name: string; readonly read: Read }>();
  for (const [name, field] of present) {
    if (field.tag !== null) known.set(field.tag, { name, read: fieldReader(name, field, shape) });
  }
  return (r, struct) => {
    const count = r.unsignedVarint();
    if (count === 0) return;
    r.checkCount(count, TAG_BYTES_MIN);
    for (let i = 0; i < count; i++) {
      const field = known.get(r.unsignedVarint());
      const length = r.unsignedVarint();
      const start = r.skip(length);
      if (field === undefined) continue;
      r.position = start;
      struct[field.name] = field.read(r);
      if (r.position !== start + length)
        throw new CodecError(`tagged ${field.name} differs from its size`);
    }
  };
}

/** The fewest bytes that a value of the field takes on the wire. */
function bytesMin(field: Field, shape: Shape): number {
  switch (field.kind) {
    case 'bool':
    case 'int8':
      return 1;
    case 'int16':
      return 2;
    case 'int32':
      return 4;
    case 'int64':
      return 8;
    case 'uuid':
      return 16;
    case 'string':
      return shape.isFlexible ? 1 : 2;
    case 'text':
    case 'bytes':
    case 'records':
    case 'array':
      return shape.isFlexible ? 1 : 4;
    case 'struct': {
      const plain = Object.values(field.fields as Fields).filter(
        (f) => f.tag === null && isIn(f.versions, shape.version),
      );
      const sum = plain.reduce((bytes, f) => bytes + bytesMin(f, shape), 0);
      return shape.isFlexible ? sum + 1 : sum;
    }
  }
}
