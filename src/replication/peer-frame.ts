/**
 * Frames between two nodes, inside the length that the socket layer puts around every frame:
 *
 *     0        1         5          5+H
 *     | kind   | H int32 | header   | payload: the batches of the appends, in their order
 *     |        |         | msgpack  |
 *
 * hello and welcome name both ends, a refusal says why there will be no link, a turn carries what
 * one loop turn has to say: Raft messages `[topicId, partition, message, number]`, from then on
 * `[number, message]`, and control messages `[message]`.
 * Bytes from outside become null or a fault in words, never a throw. Pure.
 */
import { Packr } from 'msgpackr';
import { readUint32 } from '../base/int64.js';
import { isPlainMsgpack } from '../base/plain-msgpack.js';
import type { DirectoryId, NodeId } from '../base/units.js';

export const FRAME_HELLO = 1;
export const FRAME_WELCOME = 2;
export const FRAME_REFUSAL = 3;
export const FRAME_TURN = 4;

/** kind and header length. */
const FRAME_PREFIX_BYTES = 5;
/** A connection that has not been greeted may not send more than this. */
export const HELLO_BYTES_MAX = 4096;

const PROTOCOL = 'lograft-peer';
const VERSION = 2;

/** Shard index of the main thread in a hello. */
export const MAIN_SHARD = -1;

/** One end of a link. */
export type PeerHello = {
  /** Null before the cluster has an id; two ids that differ are two clusters. */
  readonly clusterId: string | null;
  readonly nodeId: NodeId;
  readonly directoryId: DirectoryId;
  /** New with every start of the process. */
  readonly incarnation: string;
  /** Shard that speaks here; {@link MAIN_SHARD} for the control plane. */
  readonly shard: number;
  /** Shards of its node. */
  readonly shards: number;
};

/** A hello, and whom it is meant for. */
export type Greeting = PeerHello & { readonly toNode: NodeId; readonly toShard: number };

export type RefusalReason =
  | 'not-a-peer'
  | 'other-version'
  | 'other-cluster'
  | 'other-node'
  | 'same-node'
  | 'no-such-shard'
  | 'closing';

export type Refusal = {
  readonly reason: RefusalReason;
  /** Shards of the refusing node, so that the other one may ask for the right one. */
  readonly shards: number;
};

const packr = new Packr({ useRecords: false });

export type Header = {
  readonly kind: number;
  readonly value: unknown;
  readonly payloadStart: number;
};

/** Kind, header and where the payload begins; null when the frame is not one of ours. */
export function decodeFrame(bytes: Uint8Array, start: number, length: number): Header | null {
  if (length < FRAME_PREFIX_BYTES) return null;
  const headerBytes = readUint32(bytes, start + 1);
  if (headerBytes > length - FRAME_PREFIX_BYTES) return null;
  const headerStart = start + FRAME_PREFIX_BYTES;
  const payloadStart = headerStart + headerBytes;
  // Nobody is trusted before the hello, and few after it.
  if (!isPlainMsgpack(bytes, headerStart, payloadStart)) return null;
  try {
    // A copy of its own: what is kept of a header must not point into a receive buffer.
    const header = Buffer.from(bytes.subarray(headerStart, payloadStart));
    return { kind: bytes[start] as number, value: packr.unpack(header), payloadStart };
  } catch {
    return null;
  }
}

/** A frame without its payload, length in front, ready for a socket. */
export function encodeFrame(kind: number, value: unknown, payloadBytes: number): Buffer {
  const header = packr.pack(value);
  const frame = Buffer.allocUnsafe(4 + FRAME_PREFIX_BYTES + header.length);
  frame.writeInt32BE(FRAME_PREFIX_BYTES + header.length + payloadBytes, 0);
  frame[4] = kind;
  frame.writeInt32BE(header.length, 5);
  header.copy(frame, 4 + FRAME_PREFIX_BYTES);
  return frame;
}

export function encodeGreeting(greeting: Greeting): Buffer {
  return encodeFrame(FRAME_HELLO, { protocol: PROTOCOL, version: VERSION, ...greeting }, 0);
}

export function encodeWelcome(hello: PeerHello): Buffer {
  return encodeFrame(FRAME_WELCOME, { protocol: PROTOCOL, version: VERSION, ...hello }, 0);
}

export function encodeRefusal(refusal: Refusal): Buffer {
  return encodeFrame(FRAME_REFUSAL, refusal, 0);
}

/** The hello that a frame body holds, or why it holds none. */
export function acceptHello(
  bytes: Uint8Array,
  start: number,
  length: number,
): Greeting | RefusalReason {
  const frame = decodeFrame(bytes, start, length);
  if (frame === null || frame.kind !== FRAME_HELLO) return 'not-a-peer';
  const hello = toHello(frame.value);
  if (typeof hello === 'string') return hello;
  const { toNode, toShard } = frame.value as Record<string, unknown>;
  if (!isCount(toNode) || !isShard(toShard)) return 'not-a-peer';
  return { ...hello, toNode, toShard };
}

/** The hello in a welcome's header, or why it is none. */
export function toHello(value: unknown): PeerHello | RefusalReason {
  if (typeof value !== 'object' || value === null) return 'not-a-peer';
  const fields = value as Record<string, unknown>;
  if (fields['protocol'] !== PROTOCOL) return 'not-a-peer';
  if (fields['version'] !== VERSION) return 'other-version';
  const { clusterId, nodeId, directoryId, incarnation, shard, shards } = fields;
  const isSound =
    (clusterId === null || isText(clusterId)) &&
    isCount(nodeId) &&
    isText(directoryId) &&
    isText(incarnation) &&
    isShard(shard) &&
    isCount(shards);
  if (!isSound) return 'not-a-peer';
  return { clusterId, nodeId, directoryId, incarnation, shard, shards };
}

/** Why a node refuses a greeting; null when it is welcome. */
export function refusalOf(greeting: Greeting, self: PeerHello): RefusalReason | null {
  if (greeting.nodeId === self.nodeId) return 'same-node';
  if (greeting.toNode !== self.nodeId) return 'other-node';
  if (isOtherCluster(greeting.clusterId, self.clusterId)) return 'other-cluster';
  if (greeting.toShard >= self.shards) return 'no-such-shard';
  // Control planes speak to each other, shards to shards.
  const isPair = (greeting.shard === MAIN_SHARD) === (greeting.toShard === MAIN_SHARD);
  return isPair ? null : 'no-such-shard';
}

export function isOtherCluster(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && a !== b;
}

export function toRefusal(value: unknown): Refusal {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Partial<Refusal>;
  const shards = isCount(fields.shards) ? fields.shards : 0;
  return {
    reason: isText(fields.reason) ? (fields.reason as RefusalReason) : 'not-a-peer',
    shards,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 256;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

function isShard(value: unknown): value is number {
  return value === MAIN_SHARD || isCount(value);
}
