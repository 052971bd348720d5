/**
 * What the control plane needs from other rooms, as narrow shapes that the composition root fills
 * in: the metadata group's replica and log, a disk for two small files, and a way to other nodes.
 * Tests fill them with fakes; nothing here has behaviour.
 */
import type { Position } from '../base/position.js';
import type { LeaderEpoch, NodeId, Offset, WallMs } from '../base/units.js';
import type { ControlMessage } from './messages.js';

/** The part of `replication/replica.ts` that the control plane uses of the metadata group. */
export type MetadataReplica = {
  readonly leaderId: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  /** Leader whose epoch start is committed: only then are decisions made. */
  readonly isServing: boolean;
  readonly highWatermark: Offset;
  readonly commitPosition: Position;
  readonly logEnd: Position;
  /** Stamps and appends one batch; returns its base offset. Throws `NOT_LEADER`. */
  append(bytes: Uint8Array, start: number, length: number): Offset;
  /** Answers whether a quorum, asked after this call, still follows this leader. */
  confirmLeadership(done: (isConfirmed: boolean) => void): void;
};

/** One committed batch of the metadata log. */
export type MetadataBatch = {
  readonly baseOffset: Offset;
  /** Values of its records, in order; `baseOffset + values.length` is the next offset. */
  readonly values: readonly Uint8Array[];
  readonly sizeBytes: number;
};

/** The metadata group's log and its batch format (records and log rooms, joined by the broker). */
export type MetadataLog = {
  readonly logStartOffset: Offset;
  /** Whole batches from `from` on that end at or before `end`; at least one if there is one. */
  read(from: Offset, end: Offset, maxBytes: number): MetadataBatch[];
  /** Drops whole segments below `offset`: a snapshot holds what they said. */
  trimTo(offset: Offset): void;
  /** One record batch (v2, no compression) with these record values. */
  encodeBatch(values: readonly Uint8Array[], timestampMs: WallMs): Uint8Array;
};

export type ControlFile = { readonly fd: number; readonly path: string };

/** The part of `log/disk.ts` that snapshots and `meta.properties` are written through. */
export type ControlDisk = {
  openFile(path: string, mode: 'read' | 'create'): ControlFile;
  close(file: ControlFile): void;
  writeAt(file: ControlFile, at: number, bytes: Uint8Array, start: number, length: number): void;
  readAt(file: ControlFile, at: number, bytes: Uint8Array, start: number, length: number): number;
  /** -1 when there is no such file. */
  fileSize(path: string): number;
  /** Durable some time later; `done` never runs before the call returns. */
  syncLater(file: ControlFile, done: (error: Error | null) => void): void;
  syncNow(file: ControlFile): void;
  syncDirectory(path: string): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  makeDirectory(path: string): void;
  list(path: string): string[];
};

/** Control messages between nodes: ordered while a link stands, lost when it falls. */
export type ControlTransport = {
  /** False when the link is down or over its bound; the control plane tries again later. */
  sendControl(to: NodeId, message: ControlMessage): boolean;
};
