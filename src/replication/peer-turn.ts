/**
 * Takes a turn frame apart: the messages of one turn of the other side, each with the place of its
 * batches in the payload. Foreign values become a fault in words. Pure but for the handler.
 */
import type { GroupKey, VoterId } from '../base/group.js';
import type { NodeId } from '../base/units.js';
import type { RaftMessage } from '../raft/messages.js';
import type { HeardGroups } from './group-numbers.js';
import type { PeerHello } from './peer-frame.js';
import { decodeMessage, payloadBytes } from './raft-wire.js';

export type Turn = {
  readonly items: readonly unknown[];
  readonly bytes: Uint8Array;
  /** The payload lies in [at, end). */
  readonly at: number;
  readonly end: number;
};

export type TurnHandler = {
  /** `bytes` are good for the call only; the payload of an append begins at `start`. */
  onMessage(group: GroupKey, message: RaftMessage, bytes: Uint8Array, start: number): void;
  onControl?(from: NodeId, message: unknown): void;
};

/** Both ends of a connection, and what the other one has told of groups on it. */
export type TurnEnds = {
  readonly peer: PeerHello;
  readonly self: PeerHello;
  readonly heard: HeardGroups;
};

/** Hands out what is in the turn as long as `isCurrent`; returns what is wrong with it, or null. */
export function readTurn(
  turn: Turn,
  { peer, self, heard }: TurnEnds,
  handler: TurnHandler,
  isCurrent: () => boolean,
): string | null {
  const from: VoterId = { nodeId: peer.nodeId, directoryId: peer.directoryId };
  const to: VoterId = { nodeId: self.nodeId, directoryId: self.directoryId };
  let { at } = turn;
  for (const item of turn.items) {
    if (!isCurrent()) return null;
    if (!Array.isArray(item)) return 'malformed item';
    if (item.length === 1) {
      handler.onControl?.(from.nodeId, item[0]);
      continue;
    }
    const isShort = item.length === 2;
    const group = isShort ? heardGroup(item[0], heard) : namedGroup(item, heard);
    const message = decodeMessage(item[isShort ? 1 : 2], from, to);
    if (message === null || group === null) return 'malformed message';
    const length = payloadBytes(message);
    if (length > turn.end - at) return 'payload shorter than promised';
    handler.onMessage(group, message, turn.bytes, at);
    at += length;
  }
  return at === turn.end || !isCurrent() ? null : 'payload longer than promised';
}

function heardGroup(number: unknown, heard: HeardGroups): GroupKey | null {
  return typeof number === 'number' ? heard.find(number) : null;
}

/** [topicId, partition, message], perhaps with the number that stands for the two from now on. */
function namedGroup(item: readonly unknown[], heard: HeardGroups): GroupKey | null {
  const [topicId, partition, , number] = item;
  if (typeof topicId !== 'string' || !isPartition(partition)) return null;
  const group = { topicId, partition };
  return number === undefined || heard.hear(number, group) ? group : null;
}

function isPartition(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
