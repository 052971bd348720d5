/**
 * What goes in and out of a group coordinator: plain objects whose fields carry the names of
 * Kafka's message definitions, with errors as Kafka's error names (`null` is NONE). Handlers only
 * rename `error` to `errorCode`. Buffers in a request may be views of a frame: what is kept is
 * copied. Buffers in an answer belong to the coordinator and must not be written to.
 */

/** Closed set; every name is one of Kafka's own, so a handler maps it by name. */
export type GroupError =
  | 'COORDINATOR_LOAD_IN_PROGRESS'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'NOT_COORDINATOR'
  | 'INVALID_GROUP_ID'
  | 'INVALID_REQUEST'
  | 'INVALID_SESSION_TIMEOUT'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'GROUP_MAX_SIZE_REACHED'
  | 'MEMBER_ID_REQUIRED'
  | 'UNKNOWN_MEMBER_ID'
  | 'FENCED_INSTANCE_ID'
  | 'ILLEGAL_GENERATION'
  | 'REBALANCE_IN_PROGRESS'
  | 'MESSAGE_TOO_LARGE'
  | 'OFFSET_METADATA_TOO_LARGE'
  | 'INVALID_COMMIT_OFFSET_SIZE'
  | 'GROUP_ID_NOT_FOUND'
  | 'NON_EMPTY_GROUP'
  | 'GROUP_SUBSCRIBED_TO_TOPIC';

/** Names as Kafka's tools print them. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

/** The settings a coordinator reads, under Kafka's names in camel case. */
export type GroupSettings = {
  readonly groupMinSessionTimeoutMs: number;
  readonly groupMaxSessionTimeoutMs: number;
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMaxSize: number;
  readonly offsetMetadataMaxBytes: number;
  readonly offsetsRetentionMs: number;
};

export type ClientContext = { readonly clientId: string; readonly clientHost: string };

export type JoinProtocol = { readonly name: string; readonly metadata: Buffer };

export type JoinRequest = {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  /** Version 0 has none: handlers pass the session timeout. */
  readonly rebalanceTimeoutMs: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly protocolType: string;
  readonly protocols: readonly JoinProtocol[];
  /** Version 4 and up: a first join gets an id and MEMBER_ID_REQUIRED (KIP-394). */
  readonly requireKnownMemberId: boolean;
  /** Version 9 and up: a returning static leader is told to keep the assignment (KIP-814). */
  readonly supportSkippingAssignment: boolean;
};

export type JoinedMember = {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
};

export type JoinResponse = {
  readonly error: GroupError | null;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly memberId: string;
  /** Everybody, for the leader; empty for the others. */
  readonly members: readonly JoinedMember[];
};

export type SyncRequest = {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** Null before version 5. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
};

export type SyncResponse = {
  readonly error: GroupError | null;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
};

export type HeartbeatRequest = {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
};

export type HeartbeatResponse = { readonly error: GroupError | null };

/** Versions 0 to 2 name one member: handlers pass a list of one and lift its error to the top. */
export type LeaveRequest = {
  readonly groupId: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
  }[];
};

export type LeaveResponse = {
  readonly error: GroupError | null;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly error: GroupError | null;
  }[];
};

export type OffsetCommitRequest = {
  readonly groupId: string;
  /** -1 of a consumer that is no group member. */
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** -1 (always, from version 5 on): the broker's retention applies. */
  readonly retentionTimeMs: number;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly committedOffset: number;
      readonly committedLeaderEpoch: number;
      readonly committedMetadata: string | null;
    }[];
  }[];
};

type PartitionErrors = {
  readonly name: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly error: GroupError | null;
  }[];
};

export type OffsetCommitResponse = { readonly topics: readonly PartitionErrors[] };

/** One group of an OffsetFetch; version 8 sends several, each to its own coordinator. */
export type OffsetFetchRequest = {
  readonly groupId: string;
  /** Null asks for every offset of the group. */
  readonly topics:
    | readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[]
    | null;
};

export type OffsetFetchResponse = {
  readonly groupId: string;
  /** With an error there are no topics: no client may take a missing offset for "none". */
  readonly error: GroupError | null;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      /** -1: this group has committed no offset here. */
      readonly committedOffset: number;
      readonly committedLeaderEpoch: number;
      readonly metadata: string;
      readonly error: GroupError | null;
    }[];
  }[];
};

export type ListGroupsRequest = {
  /** Empty: all states. Compared without regard to case, as Kafka does. */
  readonly statesFilter: readonly string[];
};

export type ListGroupsResponse = {
  readonly error: GroupError | null;
  readonly groups: readonly {
    readonly groupId: string;
    readonly protocolType: string;
    readonly groupState: GroupState;
  }[];
};

export type DescribedGroup = {
  readonly error: GroupError | null;
  readonly groupId: string;
  /** Empty with an error. */
  readonly groupState: GroupState | '';
  readonly protocolType: string;
  readonly protocolData: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly memberMetadata: Buffer;
    readonly memberAssignment: Buffer;
  }[];
  /** "Not asked for"; ACLs come later. */
  readonly authorizedOperations: number;
};

/** The whole of a request to describe or to delete one group. */
export type GroupNamed = { readonly groupId: string };

export type DeleteGroupResponse = { readonly error: GroupError | null };

export type OffsetDeleteRequest = {
  readonly groupId: string;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number }[];
  }[];
};

export type OffsetDeleteResponse = {
  readonly error: GroupError | null;
  readonly topics: readonly PartitionErrors[];
};

export const EMPTY_BYTES: Buffer = Buffer.alloc(0);

export function joinFailure(error: GroupError, memberId: string): JoinResponse {
  return {
    error,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  };
}

export function syncFailure(error: GroupError): SyncResponse {
  return { error, protocolType: null, protocolName: null, assignment: EMPTY_BYTES };
}
