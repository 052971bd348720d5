/**
 * Kafka's wire format: every table, both directions, every version; then the same bytes damaged,
 * and bytes that never were a message. Decoding yields a value or a CodecError, within bounds.
 */
import { API_BY_KEY } from '#src/protocol/api-keys.js';
import { decodeMessage } from '#src/protocol/decode.js';
import { encodeMessage } from '#src/protocol/encode.js';
import { decodeResponse, encodeRequestFrame } from '#src/protocol/frame.js';
import { readRequestHeader } from '#src/protocol/header.js';
import { CodecError } from '#src/protocol/reader.js';
import type { EncodableFields, Fields, Message } from '#src/protocol/schema.js';
import { Writer } from '#src/protocol/writer.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonical, everyMessageVersion, messageValues } from '../../protocol/table-values.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, garbage } from '../mutate.js';

const all = everyMessageVersion();
const isOwn = (error: unknown): boolean => error instanceof CodecError;

type Sample = {
  readonly message: Message;
  readonly version: number;
  readonly label: string;
  readonly value: EncodableFields<Fields>;
};

const clientIds: fc.Arbitrary<string | null> = fc.option(fc.string({ maxLength: 9 }));

/** Arbitraries of each (message, version), made on first use: there are some 350. */
const made = new Map<number, fc.Arbitrary<Sample>>();

const samples: fc.Arbitrary<Sample> = fc.nat(all.length - 1).chain((i) => {
  const known = made.get(i);
  if (known !== undefined) return known;
  const { message, version, label } = all[i] as (typeof all)[number];
  const sample = messageValues(message, version).map((value) => ({
    ...{ message, version, label },
    value: value as EncodableFields<Fields>,
  }));
  made.set(i, sample);
  return sample;
});

function encode({ message, version }: Sample, value: EncodableFields<Fields>): Buffer {
  const writer = new Writer();
  encodeMessage(message, version, writer, value);
  const { chunks } = writer.finish();
  return chunks[0] as Buffer;
}

/** What can be decoded can be encoded again, and is then the same value. */
function decodeAnything({ message, version, label }: Sample, bytes: Buffer): void {
  const decoded = guarded(bytes.length, isOwn, () =>
    decodeMessage(message, version, bytes, 0, bytes.length),
  );
  if ('error' in decoded) return;
  const value = decoded.value as EncodableFields<Fields>;
  const sample = { message, version, label, value };
  const again = encodeOrNull(sample);
  if (again === null) return;
  const second = decodeMessage(message, version, again, 0, again.length);
  assert.is(canonical(second), canonical(value), label);
}

/** Null when a string of foreign bytes has become too long as UTF-8. */
function encodeOrNull(sample: Sample): Buffer | null {
  try {
    return encode(sample, sample.value);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

export const PROTOCOL_TARGETS = [
  target('protocol-values', () =>
    fc.property(samples, fc.nat(), fc.nat(9), (sample, cut, shift) => {
      const { message, version, label, value } = sample;
      const bytes = encode(sample, value);
      const within = Buffer.concat([Buffer.alloc(shift, 0xff), bytes, Buffer.alloc(3, 0xff)]);
      const decoded = decodeMessage(message, version, within, shift, shift + bytes.length);
      assert.is(canonical(decoded), canonical(value), label);
      assert.ok(encode(sample, { ...decoded }).equals(bytes), label);
      if (bytes.length === 0) return;
      const end = cut % bytes.length;
      assert.throws(() => decodeMessage(message, version, bytes, 0, end), isOwn, label);
    }),
  ),
  target('protocol-damaged', () =>
    fc.property(samples, edits, (sample, list) => {
      decodeAnything(sample, damaged(encode(sample, sample.value), list));
    }),
  ),
  target('protocol-garbage', () =>
    fc.property(fc.nat(all.length - 1), garbage, (i, bytes) => {
      const { message, version, label } = all[i] as (typeof all)[number];
      decodeAnything({ message, version, label, value: {} }, bytes);
    }),
  ),
  target('protocol-headers', () =>
    fc.property(samples, clientIds, edits, (sample, id, list) => {
      const api = [...API_BY_KEY.values()].find(({ request }) => request === sample.message);
      const { version: apiVersion, value: body } = sample;
      if (api === undefined) return decodeAnyResponse(sample, list);
      const request = { apiVersion, correlationId: 7, clientId: id, body };
      const frame = damaged(encodeRequestFrame(api, request).subarray(4), list);
      guarded(frame.length, isOwn, () => {
        const head = readRequestHeader(frame, 0, frame.length);
        if (head.api === null || head.bodyStart < 0) return;
        decodeMessage(head.api.request, head.apiVersion, frame, head.bodyStart, frame.length);
      });
    }),
  ),
];

function decodeAnyResponse(sample: Sample, list: Parameters<typeof damaged>[1]): void {
  const api = [...API_BY_KEY.values()].find(({ response }) => response === sample.message);
  assert.ok(api);
  const bytes = damaged(Buffer.concat([Buffer.alloc(5), encode(sample, sample.value)]), list);
  guarded(bytes.length, isOwn, () => decodeResponse(api, sample.version, bytes, 0, bytes.length));
}
