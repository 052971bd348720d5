/**
 * The language of the message tables: what a field is, in which versions it exists, and what
 * TypeScript type it has. A table is plain data in Kafka's own notation (`'3+'`, `'0-7'`);
 * `decode.ts` and `encode.ts` compile it, the property tests draw values from it, and the
 * conformance test compares it with Kafka's definitions. Promise: one table serves both directions
 * and every version. Pure; any thread.
 */
import { ZERO_UUID } from '../base/uuid.js';

export type VersionText = `${number}+` | `${number}-${number}`;

/** Inclusive at both ends, as Kafka writes its version ranges. */
export type VersionRange = { readonly min: number; readonly max: number };

export type Kind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uuid'
  | 'string'
  /** UTF-8 text in the framing of `bytes`: no 32 KiB limit. Only lograft's private APIs use it. */
  | 'text'
  | 'bytes'
  | 'records'
  | 'array'
  | 'struct';

/**
 * One field of a table. `Read` is what decoding yields, `Write` what encoding takes. A field may be
 * left out of an encoded object when it has a default or a tag, or when some version lacks it; a
 * nullable field without a default is never optional, so that null is always somebody's decision.
 */
export type Field<Read = unknown, Write = unknown, IsOptional extends boolean = boolean> = {
  readonly kind: Kind;
  readonly versions: VersionRange;
  /** Versions in which null may be on the wire. */
  readonly nullable: VersionRange | null;
  /** Value of a decoded field whose version lacks it. */
  readonly default: unknown;
  readonly isOptional: boolean;
  /** Number in the tag section of flexible versions; null for an ordinary field. */
  readonly tag: number | null;
  /** What an array holds; null for the other kinds. */
  readonly element: Field | null;
  /** Fields of a struct in wire order; null for the other kinds. */
  readonly fields: Fields | null;
  /** Never set; carries the types. */
  readonly types?: { readonly read: Read; readonly write: Write; readonly isOptional: IsOptional };
};

/** A struct: names in wire order (JavaScript keeps the order of keys). */
export type Fields = { readonly [name: string]: Field };

export type Message<F extends Fields = Fields> = {
  readonly name: string;
  readonly versions: VersionRange;
  /** First version with compact lengths and tag sections; Infinity when there is none. */
  readonly flexibleFrom: number;
  /** The body as one struct. */
  readonly body: Field;
  readonly fields: F;
};

/** A Kafka API with both of its tables. */
export type Api<Q extends Fields = Fields, S extends Fields = Fields> = {
  readonly key: number;
  readonly name: string;
  /** What ApiVersions says. It may begin below what the tables hold (see Produce). */
  readonly advertised: VersionRange;
  /** First version that is answered; the last one is `advertised.max`. */
  readonly serveFrom: number;
  readonly flexibleFrom: number;
  /** False: the table exists, no handler yet; neither advertised nor answered. */
  readonly isServed: boolean;
  /** Lograft's own: answered, never advertised. */
  readonly isPrivate: boolean;
  readonly request: Message<Q>;
  readonly response: Message<S>;
};

/** Record batches inside a frame: a view, never a copy. */
export type RecordsView = {
  readonly bytes: Buffer;
  readonly start: number;
  readonly length: number;
};

/** Bytes that are spliced in when the frame is sent, for instance a file range. */
export type ExternalPart = { readonly external: unknown; readonly length: number };

export type RecordsPart =
  | { readonly bytes: Uint8Array; readonly start: number; readonly length: number }
  | ExternalPart;

export type RecordsSource = RecordsPart | readonly RecordsPart[];

type ReadOf<F> = F extends Field<infer R, unknown, boolean> ? R : never;
type WriteOf<F> = F extends Field<unknown, infer W, boolean> ? W : never;
type OptionalNames<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<unknown, unknown, true> ? K : never;
}[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };

export type DecodedFields<F extends Fields> = { readonly [K in keyof F]: ReadOf<F[K]> };
export type EncodableFields<F extends Fields> = Flat<
  { readonly [K in Exclude<keyof F, OptionalNames<F>>]: WriteOf<F[K]> } & {
    readonly [K in OptionalNames<F>]?: WriteOf<F[K]>;
  }
>;

/** What decoding a message yields: every field, defaults filled in. */
export type Decoded<M extends { readonly fields: Fields }> = DecodedFields<M['fields']>;
/** What encoding a message takes: optional fields may be missing. */
export type Encodable<M extends { readonly fields: Fields }> = EncodableFields<M['fields']>;

type NoOptions = Record<never, never>;
type Options<T> = { readonly default?: T; readonly tag?: number };
type NullableOptions<T> = Options<T | null> & {
  /** Versions that may carry null; all of the field's versions when not given. */
  readonly nullable?: VersionText;
};
type HasDefault<O> = O extends { readonly default: unknown } | { readonly tag: number }
  ? true
  : false;
type OptionalIf<V, O> = V extends '0+' ? HasDefault<O> : true;

export const bool = scalar<boolean>('bool', false);
export const int8 = scalar<number>('int8', 0);
export const int16 = scalar<number>('int16', 0);
export const int32 = scalar<number>('int32', 0);
/** A number checked to be a safe integer in both directions. */
export const int64 = scalar<number>('int64', 0);
/** 22 characters of base64url; ZERO_UUID means none. */
export const uuid = scalar<string>('uuid', ZERO_UUID);
export const string = scalar<string>('string', '');
export const nullableString = nullableScalar<string>('string', '');
export const text = scalar<string>('text', '');
/** Copied on decode: the frame is gone when the handler returns. */
export const bytes = scalar<Buffer, Uint8Array>('bytes', Buffer.alloc(0));

const NO_ELEMENTS: readonly never[] = Object.freeze([]);

export function nullableRecords<V extends VersionText>(
  versions: V,
): Field<RecordsView | null, RecordsSource | null, false> {
  return makeField('records', versions, null, { nullable: versions });
}

export function int32s<V extends VersionText>(
  versions: V,
): Field<readonly number[], readonly number[], OptionalIf<V, NoOptions>> {
  return makeField('array', versions, NO_ELEMENTS, {}, int32('0+'));
}

export function strings<V extends VersionText>(
  versions: V,
): Field<readonly string[], readonly string[], OptionalIf<V, NoOptions>> {
  return makeField('array', versions, NO_ELEMENTS, {}, string('0+'));
}

export function nullableStrings<V extends VersionText>(
  versions: V,
): Field<readonly string[] | null, readonly string[] | null, false> {
  return makeField('array', versions, NO_ELEMENTS, { nullable: versions }, string('0+'));
}

export function array<
  V extends VersionText,
  F extends Fields,
  O extends Options<never> = NoOptions,
>(
  versions: V,
  fields: F,
  options?: O,
): Field<readonly DecodedFields<F>[], readonly EncodableFields<F>[], OptionalIf<V, O>> {
  return makeField('array', versions, NO_ELEMENTS, options ?? {}, structField('0+', fields));
}

export function nullableArray<
  V extends VersionText,
  F extends Fields,
  O extends NullableOptions<never> = NoOptions,
>(
  versions: V,
  fields: F,
  options?: O,
): Field<readonly DecodedFields<F>[] | null, readonly EncodableFields<F>[] | null, HasDefault<O>> {
  const all = { nullable: versions, ...options };
  return makeField('array', versions, NO_ELEMENTS, all, structField('0+', fields));
}

/** Structs occur by themselves only in tag sections. */
export function taggedStruct<V extends VersionText, F extends Fields>(
  versions: V,
  tag: number,
  fields: F,
): Field<DecodedFields<F>, EncodableFields<F>, true> {
  return structField(versions, fields, tag) as Field<DecodedFields<F>, EncodableFields<F>, true>;
}

export function defineApi<Q extends Fields, S extends Fields>(definition: {
  readonly key: number;
  readonly name: string;
  readonly advertised: VersionText;
  readonly serveFrom?: number;
  readonly flexibleFrom: number;
  readonly isServed: boolean;
  readonly isPrivate?: boolean;
  readonly request: Q;
  readonly response: S;
}): Api<Q, S> {
  const { key, name, flexibleFrom, isServed } = definition;
  const advertised = parseVersions(definition.advertised);
  const serveFrom = definition.serveFrom ?? advertised.min;
  const versions = { min: serveFrom, max: advertised.max };
  const message = <F extends Fields>(suffix: string, fields: F): Message<F> => {
    const body = structField('0+', fields);
    return { name: name + suffix, versions, flexibleFrom, body, fields };
  };
  return {
    key,
    name,
    advertised,
    serveFrom,
    flexibleFrom,
    isServed,
    isPrivate: definition.isPrivate ?? false,
    request: message('Request', definition.request),
    response: message('Response', definition.response),
  };
}

export function isIn(range: VersionRange, version: number): boolean {
  return version >= range.min && version <= range.max;
}

/** `'3+'` or `'0-7'`; an open end is Infinity. */
export function parseVersions(versionText: VersionText): VersionRange {
  if (versionText.endsWith('+')) return { min: Number.parseInt(versionText, 10), max: Infinity };
  const [min, max] = versionText.split('-');
  return { min: Number(min), max: Number(max) };
}

function scalar<R extends W, W = R>(kind: Kind, zero: R) {
  return <V extends VersionText, O extends Options<R> = NoOptions>(versions: V, options?: O) =>
    makeField<R, W, OptionalIf<V, O>>(kind, versions, zero, options ?? {});
}

function nullableScalar<T>(kind: Kind, zero: T) {
  return <V extends VersionText, O extends NullableOptions<T> = NoOptions>(
    versions: V,
    options?: O,
  ) => {
    const all = { nullable: versions, ...options };
    return makeField<T | null, T | null, HasDefault<O>>(kind, versions, zero, all);
  };
}

function makeField<R, W, P extends boolean>(
  kind: Kind,
  versions: VersionText,
  zero: unknown,
  options: NullableOptions<unknown>,
  element: Field | null = null,
): Field<R, W, P> {
  const { nullable, tag } = options;
  const isDecided = options.default !== undefined || tag !== undefined;
  return {
    kind,
    versions: parseVersions(versions),
    nullable: nullable === undefined ? null : parseVersions(nullable),
    default: options.default === undefined ? zero : options.default,
    isOptional: isDecided || (nullable === undefined && versions !== '0+'),
    tag: tag ?? null,
    element,
    fields: null,
  };
}

function structField(versions: VersionText, fields: Fields, tag: number | null = null): Field {
  return {
    kind: 'struct',
    versions: parseVersions(versions),
    nullable: null,
    default: Object.freeze(defaultsOf(fields)),
    isOptional: tag !== null,
    tag,
    element: null,
    fields,
  };
}

function defaultsOf(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.default]));
}
