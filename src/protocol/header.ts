/**
 * Request and response headers.
 *
 *     request   apiKey int16 | apiVersion int16 | correlationId int32 | clientId string? | tags*
 *     response  correlationId int32 | tags*                                * flexible versions only
 *
 * The client id keeps its two-byte length in flexible versions too, and the response to ApiVersions
 * never has a tag section, because its reader does not know yet what the broker speaks (KIP-482,
 * KIP-511). Pure; any thread.
 */
import { API_BY_KEY } from './api-keys.js';
import { apiVersionsApi } from './messages/api-versions.js';
import { Reader } from './reader.js';
import type { Api } from './schema.js';
import { isIn } from './schema.js';
import type { Writer } from './writer.js';

export type RequestHeader = {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
};

export type RequestHead = RequestHeader & {
  /** Null when nobody knows the key. */
  readonly api: Api | null;
  /**
   * Whether the table holds this version; if not, only the header's first three fields are read.
   */
  readonly isKnownVersion: boolean;
  /** Where the body starts; -1 without a known version. */
  readonly bodyStart: number;
};

export function requestHeaderVersion(api: Api, apiVersion: number): 1 | 2 {
  return apiVersion >= api.flexibleFrom ? 2 : 1;
}

export function responseHeaderVersion(api: Api, apiVersion: number): 0 | 1 {
  return apiVersion >= api.flexibleFrom && api.key !== apiVersionsApi.key ? 1 : 0;
}

/** Reads the header of the request in [start, end): the frame without its length prefix. */
export function readRequestHeader(bytes: Buffer, start: number, end: number): RequestHead {
  const reader = new Reader(bytes, start, end);
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const api = API_BY_KEY.get(apiKey) ?? null;
  const isKnownVersion = api !== null && isIn(api.request.versions, apiVersion);
  let clientId: string | null = null;
  let bodyStart = -1;
  if (isKnownVersion) {
    const length = reader.length16();
    if (length >= 0) clientId = reader.string(length);
    if (requestHeaderVersion(api, apiVersion) === 2) reader.skipTags();
    bodyStart = reader.position;
  }
  return { apiKey, apiVersion, correlationId, clientId, api, isKnownVersion, bodyStart };
}

export function writeRequestHeader(
  writer: Writer,
  api: Api,
  header: Omit<RequestHeader, 'apiKey'>,
): void {
  writer.int16(api.key);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  if (header.clientId === null) writer.int16(-1);
  else writer.string(header.clientId, false);
  if (requestHeaderVersion(api, header.apiVersion) === 2) writer.unsignedVarint(0);
}

/** Reads a response header and leaves `reader` at the body. */
export function readResponseHeader(reader: Reader, api: Api, apiVersion: number): number {
  const correlationId = reader.int32();
  if (responseHeaderVersion(api, apiVersion) === 1) reader.skipTags();
  return correlationId;
}

export function writeResponseHeader(
  writer: Writer,
  api: Api,
  apiVersion: number,
  correlationId: number,
): void {
  writer.int32(correlationId);
  if (responseHeaderVersion(api, apiVersion) === 1) writer.unsignedVarint(0);
}
