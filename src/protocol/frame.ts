/**
 * Whole frames: int32 length, header, body. The broker reads requests and writes responses, the CLI
 * and the tests do the opposite, all on the same tables. Pure; any thread.
 */
import { assert } from '../base/assert.js';
import { decodeMessage } from './decode.js';
import { encodeMessage } from './encode.js';
import { readResponseHeader, writeRequestHeader, writeResponseHeader } from './header.js';
import { CodecError, Reader } from './reader.js';
import type { Api, DecodedFields, EncodableFields, Fields } from './schema.js';
import { type Encoded, Writer } from './writer.js';

const LENGTH_BYTES = 4;
const FRAME_BYTES_MAX = 0x7fffffff;

/** A response with its length prefix, ready to be sent chunk by chunk. */
export function encodeResponse<Q extends Fields, S extends Fields>(
  api: Api<Q, S>,
  apiVersion: number,
  correlationId: number,
  body: EncodableFields<S>,
): Encoded {
  const writer = new Writer();
  writer.int32(0);
  writeResponseHeader(writer, api, apiVersion, correlationId);
  encodeMessage(api.response, apiVersion, writer, body);
  return finishFrame(writer);
}

/** A request with its length prefix. Clients send no external parts, so it is one buffer. */
export function encodeRequestFrame<Q extends Fields, S extends Fields>(
  api: Api<Q, S>,
  request: {
    readonly apiVersion: number;
    readonly correlationId: number;
    readonly clientId: string | null;
    readonly body: EncodableFields<Q>;
  },
): Buffer {
  const writer = new Writer();
  writer.int32(0);
  writeRequestHeader(writer, api, request);
  encodeMessage(api.request, request.apiVersion, writer, request.body);
  const [chunk, ...others] = finishFrame(writer).chunks;
  assert(Buffer.isBuffer(chunk) && others.length === 0, 'external part in a request');
  return chunk;
}

/** Decodes the response in [start, end), which is the frame without its length prefix. */
export function decodeResponse<Q extends Fields, S extends Fields>(
  api: Api<Q, S>,
  apiVersion: number,
  bytes: Buffer,
  start: number,
  end: number,
): { readonly correlationId: number; readonly body: DecodedFields<S> } {
  const reader = new Reader(bytes, start, end);
  const correlationId = readResponseHeader(reader, api, apiVersion);
  const body = decodeMessage(api.response, apiVersion, bytes, reader.position, end);
  return { correlationId, body };
}

function finishFrame(writer: Writer): Encoded {
  const bodyBytes = writer.totalLength - LENGTH_BYTES;
  if (bodyBytes > FRAME_BYTES_MAX) throw new CodecError(`frame of ${bodyBytes} bytes`);
  writer.patchInt32(0, bodyBytes);
  return writer.finish();
}
