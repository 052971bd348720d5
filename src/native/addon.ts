/**
 * Loads the native addon, once per environment (the main thread and every worker have their own
 * copy of its state). Promise: what comes out agrees with TypeScript on every shared constant.
 * Only the files of this folder use `native`; other rooms use the functions and classes beside it.
 */
import { LograftError } from '../base/errors.js';
import { createRequire } from 'node:module';
import { NATIVE_CONSTANTS } from './constants.js';

/** Handle of a native object in this environment's table; never reused. */
export type NativeHandle = number;

/** The raw face of the addon. Ints and typed arrays only: no objects on a hot path. */
export type NativeAddon = {
  readonly constants: Readonly<Record<string, number>>;

  crc32c(bytes: Uint8Array, start: number, length: number, seed: number): number;
  crcImplementations(): string[];
  crc32cWith(
    implementation: string,
    bytes: Uint8Array,
    start: number,
    length: number,
    seed: number,
  ): number;

  setBatchFields(fields: Float64Array): void;
  validateBatch(bytes: Uint8Array, start: number, length: number, rules: number): number;
  readBatchHeader(bytes: Uint8Array, start: number, length: number): number;
  stampBatch(bytes: Uint8Array, start: number, baseOffset: number, leaderEpoch: number): void;
  stampAppendTime(bytes: Uint8Array, start: number, wallMs: number): void;

  setCutFields(fields: Int32Array): void;
  cutRecords(
    bytes: Uint8Array,
    start: number,
    length: number,
    isArray: boolean,
    partitions: number,
    partition: number,
    anyPartition: number,
    nowMs: number,
  ): number;
  takeBlocks(into: Uint8Array): void;
  sealBatch(blocks: readonly Uint8Array[], records: number, into: Uint8Array): number;

  setTellFields(fields: Float64Array): void;
  tellRecords(
    bytes: Uint8Array,
    start: number,
    length: number,
    from: number,
    recordsMax: number,
    isLines: boolean,
  ): number;
  takeText(into: Uint8Array, start: number, length: number): void;

  writeAt(
    fd: number,
    filePosition: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): boolean;
  writeListAt(fd: number, filePosition: number, views: readonly Uint8Array[]): number;
  readAt(
    fd: number,
    filePosition: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number;
  allocate(fd: number, from: number, length: number, keepSize: boolean): void;
  syncFile(fd: number): void;
  lockFile(path: string): number;
  unlockFile(fd: number): void;
  syncDirectory(path: string): void;
  freeBytes(path: string): number;
  uniqueMountId(path: string): string;
  fileCounters(into: Float64Array): void;

  syncThreadOpen(results: Int32Array, onGroup: (count: number) => void): NativeHandle;
  syncThreadPush(handle: NativeHandle, fd: number): void;
  syncThreadWrite(
    handle: NativeHandle,
    fd: number,
    filePosition: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void;
  syncThreadAwaitIdle(handle: NativeHandle): number;
  syncThreadCounters(handle: NativeHandle, into: Float64Array): void;
  syncThreadClose(handle: NativeHandle, onClosed: () => void): void;

  socketsOpen(
    slab: Uint8Array,
    events: Int32Array,
    frameBytesMax: number,
    outboundBytesMax: number,
    onTurn: (count: number, bigFrameBytes: number) => void,
  ): NativeHandle;
  socketsListen(
    handle: NativeHandle,
    host: string,
    port: number,
    isHandoff: boolean,
    backlog: number,
  ): number;
  socketsListenerPort(handle: NativeHandle, listenerId: number): number;
  socketsUnlisten(handle: NativeHandle, listenerId: number): void;
  socketsConnect(handle: NativeHandle, host: string, port: number): number;
  socketsAdopt(handle: NativeHandle, fd: number, leftover: Uint8Array | undefined): number;
  socketsDetachLeftover(handle: NativeHandle, connId: number, eventIndex: number): Buffer;
  socketsDetach(handle: NativeHandle, connId: number): number;
  socketsWrite(
    handle: NativeHandle,
    connId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  socketsWriteRange(
    handle: NativeHandle,
    connId: number,
    fd: number,
    filePosition: number,
    length: number,
  ): void;
  socketsOutboundBytes(handle: NativeHandle, connId: number): number;
  socketsSetFrameBytesMax(handle: NativeHandle, connId: number, bytes: number): void;
  socketsSetFrameDeadline(handle: NativeHandle, connId: number, ms: number): void;
  socketsSetSendBuffer(handle: NativeHandle, connId: number, bytes: number): void;
  socketsSetHalfOpen(handle: NativeHandle, connId: number): void;
  socketsSetRaw(handle: NativeHandle, connId: number): void;
  socketsSetReading(handle: NativeHandle, connId: number, isReading: boolean): void;
  socketsRemoteAddress(handle: NativeHandle, connId: number): string;
  socketsClose(handle: NativeHandle, connId: number): void;
  socketsSetRef(handle: NativeHandle, isRef: boolean): void;
  socketsTakeBigFrame(handle: NativeHandle, into: Uint8Array): void;
  socketsCounters(handle: NativeHandle, into: Float64Array): void;
  socketsDestroy(handle: NativeHandle): void;
  errnoName(errno: number): string;
};

const ADDON_PATH = '../../build/Release/lograft.node';

export const native: NativeAddon = load();

function load(): NativeAddon {
  let loaded: NativeAddon;
  try {
    loaded = createRequire(import.meta.url)(ADDON_PATH) as NativeAddon;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LograftError(
      'NATIVE_MISSING',
      `the native addon cannot be loaded: ${why.split('\n')[0]}`,
      'npm run build',
      { cause: error },
    );
  }
  for (const [name, value] of Object.entries(NATIVE_CONSTANTS)) {
    if (loaded.constants[name] === value) continue;
    throw new LograftError(
      'NATIVE_MISSING',
      `the native addon is of another build: ${name} is ${loaded.constants[name]}, not ${value}`,
      'npm run build',
    );
  }
  return loaded;
}
