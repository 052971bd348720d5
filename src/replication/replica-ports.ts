/**
 * What a replica is made of and what it tells its owner: the ports between the driver and the rooms
 * around it. Types only.
 */
import type { Clock } from '../base/clock.js';
import type { GroupKey, VoterId } from '../base/group.js';
import type { Mark } from '../base/mark.js';
import type { Mutant } from '../base/mutant.js';
import type { Position } from '../base/position.js';
import type { Prng } from '../base/prng.js';
import type { NodeId, Offset } from '../base/units.js';
import type { LogRange } from '../log/log-types.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { Wal } from '../log/wal.js';
import type { RaftMessage } from '../raft/messages.js';
import type { RaftKnobs } from '../raft/raft-config.js';
import type { RaftEvent } from '../raft/ready.js';

export type ReplicationKnobs = {
  readonly raft: RaftKnobs;
  /** How often the shard calls `tick`. */
  readonly tickMs: number;
  /** replica.lag.time.max.ms: a follower behind for longer is not in sync. */
  readonly replicaLagMsMax: number;
};

export type ReplicaEvents = {
  /** Role, leader, epoch or serving state changed. */
  onRole(): void;
  onCommitted(highWatermark: Offset): void;
  /** A batch is in the local log, leader's or follower's; bytes are good for the call only. */
  onAppended(bytes: Uint8Array, start: number, length: number, baseOffset: Offset): void;
  /** Batches at or behind `to` are gone from the local log. */
  onTruncated(to: Offset): void;
  /** The whole log was replaced by a snapshot. */
  onReset(): void;
  onMarkCommitted(mark: Mark): void;
  /** The replica's synced offset moved. */
  onSynced?(): void;
  /** The replica has ended; called once. It answers nobody any more. */
  onFailed(error: Error): void;
  /**
   * Bytes at or behind `from` are not what was appended. Who has no answer to that leaves it out:
   * then the replica ends.
   */
  onDamaged?(from: Offset): void;
  /** The replica's `drain` has work to do before the turn ends, or as soon as possible. */
  onDirty(): void;
  /** For log lines and counters. */
  onEvent?(event: RaftEvent | ReplicaEvent): void;
};

/** What the driver itself has to tell. */
export type ReplicaEvent =
  | { readonly kind: 'append-refused'; readonly from: NodeId; readonly reason: string }
  | { readonly kind: 'storage-full' };

export interface PeerTransport {
  /**
   * False when the link is down, over its bound, or leads to another directory than `message.to`:
   * Raft sends again later, from the log. Ranges are read before the turn ends.
   */
  send(to: NodeId, group: GroupKey, message: RaftMessage, ranges: readonly LogRange[]): boolean;
}

/** State beside the log (metadata group only): an ordinary partition's snapshot is empty. */
export type StateSnapshots = {
  /** A committed state: everything below `position`. */
  capture(): { readonly position: Position; readonly bytes: Uint8Array };
  /** Durable when it returns; the log is reset to `position` after it. */
  install(position: Position, bytes: Uint8Array): void;
};

export type ReplicaOptions = {
  readonly group: GroupKey;
  readonly self: VoterId;
  /** In replica order; a self that is not among them is a stranger. */
  readonly voters: readonly VoterId[];
  readonly log: PartitionLog;
  readonly wal: Wal;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  /** For this replica alone. */
  readonly random: Prng;
  readonly knobs: ReplicationKnobs;
  readonly durability: () => 'synced' | 'cached';
  readonly events: ReplicaEvents;
  /** Whether another node's disk has room, as far as is known; true where nobody says. */
  readonly hasRoom?: ((nodeId: NodeId) => boolean) | undefined;
  readonly snapshots?: StateSnapshots | undefined;
  /** Tests only: a classical mistake in the core. */
  readonly mutant?: Mutant | undefined;
};
