/**
 * What nodes say to each other about a partition that one of them leads, and the checks by which
 * what came over a link is believed. Pure.
 */
import {
  type Check,
  isAnything,
  isBytes,
  isCount,
  isFlag,
  isInteger,
  isText,
  oneOf,
  orNull,
  shape,
} from '../base/checks.js';
import type { GroupKey } from '../base/group.js';
import type { LeaderEpoch, Offset } from '../base/units.js';
import type { ExtentRequest, FetchRequest, OffsetQuestion, ProduceOptions } from './access.js';

/** What a node asks of the leader of a partition. */
export type Ask =
  | { readonly kind: 'produce'; readonly bytes: Uint8Array; readonly options: ProduceOptions }
  | { readonly kind: 'fetch'; readonly request: FetchRequest }
  | { readonly kind: 'extent'; readonly request: ExtentRequest }
  | { readonly kind: 'advance'; readonly offset: Offset }
  | { readonly kind: 'offset'; readonly question: OffsetQuestion; readonly epoch: LeaderEpoch | -1 }
  | {
      readonly kind: 'epoch-end';
      readonly leaderEpoch: LeaderEpoch;
      readonly epoch: LeaderEpoch | -1;
    }
  /** For the group coordinator that leads with the partition, which checks the request itself. */
  | { readonly kind: 'group'; readonly method: string; readonly request: unknown };

/** `callId` is unique over restarts: an answer to a former life of this process finds nobody. */
export type ForwardMessage =
  | {
      readonly kind: 'partition-call';
      readonly callId: string;
      readonly group: GroupKey;
      readonly ask: Ask;
    }
  | { readonly kind: 'partition-answer'; readonly callId: string; readonly result: unknown }
  | { readonly kind: 'partition-cancel'; readonly callId: string };

const isAcks: Check = (value) => value === 0 || value === 1 || value === -1;
const isOptionalFlag: Check = (value) => value === undefined || value === false;
const isErrorName: Check = (value) => value === null || typeof value === 'string';
const isOptionalText: Check = (value) => value === null || typeof value === 'string';

const group = shape({ topicId: isText, partition: isCount });
const question = oneOf({
  earliest: isAnything,
  latest: isAnything,
  'max-timestamp': isAnything,
  timestamp: shape({ timestampMs: isInteger }),
});
const ask = oneOf({
  // Only a broker's own coordinator writes to internal topics, and never through another node.
  produce: shape({
    bytes: isBytes,
    options: shape({ acks: isAcks, timeoutMs: isCount, isInternal: isOptionalFlag }),
  }),
  fetch: shape({
    request: shape({
      offset: isInteger,
      maxBytes: isCount,
      isFirst: isFlag,
      currentLeaderEpoch: isInteger,
    }),
  }),
  extent: shape({ request: shape({ offset: isInteger, endOffset: orNull(isInteger) }) }),
  advance: shape({ offset: isInteger }),
  offset: shape({ question, epoch: isInteger }),
  'epoch-end': shape({ leaderEpoch: isInteger, epoch: isInteger }),
  group: shape({ method: isText }),
});
const forwardMessage = oneOf({
  'partition-call': shape({ callId: isText, group, ask }),
  'partition-answer': shape({ callId: isText }),
  'partition-cancel': shape({ callId: isText }),
});

export function isForwardMessage(value: unknown): value is ForwardMessage {
  return forwardMessage(value);
}

export const isProduceOutcome = shape({
  error: isErrorName,
  baseOffset: isInteger,
  logAppendTimeMs: isInteger,
  logStartOffset: isInteger,
  message: isOptionalText,
});
const fetchData = shape({
  kind: (value) => value === 'bytes',
  bytes: isBytes,
  nextOffset: isInteger,
});
export const isFetchOutcome = shape({
  error: isErrorName,
  highWatermark: isInteger,
  lastStableOffset: isInteger,
  logStartOffset: isInteger,
  data: (value) => value === null || fetchData(value),
});
export const isExtent = shape({
  error: isErrorName,
  firstOffset: isInteger,
  nextOffset: isInteger,
  bytes: isCount,
  highWatermark: isInteger,
  logStartOffset: isInteger,
  leaderEpoch: isInteger,
});
export const isOffsetAnswer = shape({
  error: isErrorName,
  offset: isInteger,
  timestampMs: isInteger,
  leaderEpoch: isInteger,
});
export const isEpochEndAnswer = shape({
  error: isErrorName,
  leaderEpoch: isInteger,
  endOffset: isInteger,
});
