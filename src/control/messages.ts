/**
 * Control messages between the main threads of two nodes: plain objects, packed by the peer link.
 * Every request carries an id and may be lost; whoever asks asks again.
 */
import type { DirectoryId, LeaderEpoch, NodeId, Offset, TopicId } from '../base/units.js';
import type { ControlOp } from './operations.js';

/** Ask the controller. `requestId` stays the same over retries and controllers. */
export type RequestMessage = {
  readonly kind: 'request';
  readonly requestId: string;
  readonly op: ControlOp;
};

/** `offset` and `value` as in ControlResult, or why there is none. */
export type ResponseMessage = {
  readonly kind: 'response';
  readonly requestId: string;
  readonly answer:
    | { readonly kind: 'done'; readonly offset: Offset; readonly value: unknown }
    /** Not the serving controller (any more): ask `leaderId`, or wait when it is -1. */
    | { readonly kind: 'not-controller'; readonly leaderId: NodeId }
    | { readonly kind: 'busy' };
};

/** "I live": sent by every registered broker to the controller, also at once when asked. */
export type HeartbeatMessage = {
  readonly kind: 'heartbeat';
  readonly nodeId: NodeId;
  readonly directoryId: DirectoryId;
  readonly incarnation: string;
  /** The image of this node is applied up to here. */
  readonly appliedOffset: Offset;
  /** Deletions committed below are done on this node's disk. */
  readonly reconciledOffset: Offset;
  /** False while starting and while shutting down: a broker that is not ready is fenced. */
  readonly isReady: boolean;
};

/** One leader fact; `version` orders facts of one epoch, in which only one node tells them. */
export type LeaderEntry = {
  readonly topicId: TopicId;
  readonly partition: number;
  /** -1 when the leader of that epoch gave up. */
  readonly leaderId: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  readonly inSync: readonly NodeId[];
  readonly version: number;
};

export type LeadersMessage = {
  readonly kind: 'leaders';
  readonly entries: readonly LeaderEntry[];
};

/**
 * "Tell me when you have applied `offset` and know a serving leader of every partition of these."
 */
export type SettleMessage = {
  readonly kind: 'settle';
  readonly id: number;
  readonly offset: Offset;
  readonly topicIds: readonly TopicId[];
};

export type SettledMessage = { readonly kind: 'settled'; readonly id: number };

export type ControlMessage =
  | RequestMessage
  | ResponseMessage
  | HeartbeatMessage
  | LeadersMessage
  | SettleMessage
  | SettledMessage;
