/**
 * Scalars that could be swapped by accident. They are flavoured rather than branded: a plain number
 * literal or the result of arithmetic is accepted, but an `Offset` is refused where a
 * `FilePosition` is wanted.
 */

/** Number of a record in a partition; safe integer >= 0 (-1 means "none" where a field says so). */
export type Offset = number & { readonly unit?: 'offset' };

/** Generation of a partition's leader; equals the Raft term. int32. */
export type LeaderEpoch = number & { readonly unit?: 'leaderEpoch' };

/** Byte position in a file. Never called an offset. */
export type FilePosition = number & { readonly unit?: 'filePosition' };

/** Monotonic milliseconds of one process: only differences mean something. */
export type MonotonicMs = number & { readonly unit?: 'monotonicMs' };

/** Milliseconds since 1970 (Kafka timestamps). */
export type WallMs = number & { readonly unit?: 'wallMs' };

/** Id of a broker, 1..N in a local cluster. -1 where a field says "nobody". */
export type NodeId = number & { readonly unit?: 'nodeId' };

/** Broker-chosen random id of a log directory (22 characters base64url of a UUID). */
export type DirectoryId = string & { readonly unit?: 'directoryId' };

/** Topic id as 22 characters base64url of its 16 bytes, Kafka's own text form. */
export type TopicId = string & { readonly unit?: 'topicId' };

export const LEADER_NONE: NodeId = -1;
