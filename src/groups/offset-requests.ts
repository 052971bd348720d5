/** What requests about committed offsets do to a ledger: plans and answers, no state. Pure. */
import { CONSUMER_PROTOCOL_TYPE } from './consumer-subscription.js';
import type { WallMs } from '../base/units.js';
import type { ClassicGroup } from './classic-group.js';
import { groupErrorOf } from './group-log.js';
import type { CommittedOffset } from './group-records.js';
import type {
  GroupError,
  GroupSettings,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetDeleteRequest,
  OffsetDeleteResponse,
  OffsetFetchRequest,
  OffsetFetchResponse,
} from './group-types.js';
import type { Change, Ledger } from './ledger.js';
import { OFFSETS_MAX, TEXT_BYTES_MAX } from './limits.js';
import type { OffsetKey, OffsetStore } from './offset-store.js';

type RequestedPartition = OffsetCommitRequest['topics'][number]['partitions'][number];

export type CommitPlan = {
  readonly changes: readonly Change[];
  /** The answer, with the log's error (or none) for every partition that was to be written. */
  answer(logError: string | null): OffsetCommitResponse;
};

/** Which offsets of a commit are written and which are refused one by one. */
export function planCommit(
  request: OffsetCommitRequest,
  ledger: Ledger,
  settings: GroupSettings,
  nowMs: WallMs,
): CommitPlan {
  const { groupId, retentionTimeMs } = request;
  const expireTimestamp = retentionTimeMs === -1 ? -1 : nowMs + retentionTimeMs;
  const changes: Change[] = [];
  const refused = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((partition) => {
      const { partitionIndex } = partition;
      const key = { groupId, topic: name, partition: partitionIndex };
      const error = offsetRefusal(key, partition, ledger, changes.length, settings);
      if (error === null) {
        const value = committedOffset(partition, nowMs, expireTimestamp);
        changes.push({ kind: 'offset', key, value });
      }
      return { partitionIndex, error };
    }),
  }));
  const answer = (logError: string | null): OffsetCommitResponse => {
    const error = logError === null ? null : commitErrorOf(logError);
    return {
      topics: refused.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((p) => ({ ...p, error: p.error ?? error })),
      })),
    };
  };
  return { changes, answer };
}

function commitErrorOf(error: string): GroupError {
  const groupError = groupErrorOf(error);
  return groupError === 'MESSAGE_TOO_LARGE' ? 'INVALID_COMMIT_OFFSET_SIZE' : groupError;
}

/** The same error for all that was asked. */
export function allPartitions(
  request: OffsetCommitRequest,
  error: GroupError,
): OffsetCommitResponse {
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, error })),
    })),
  };
}

function offsetRefusal(
  key: OffsetKey,
  { committedMetadata }: RequestedPartition,
  ledger: Ledger,
  planned: number,
  settings: GroupSettings,
): GroupError | null {
  const metadata = committedMetadata ?? '';
  if (metadata.length > settings.offsetMetadataMaxBytes) return 'OFFSET_METADATA_TOO_LARGE';
  if (Buffer.byteLength(metadata) > TEXT_BYTES_MAX) return 'OFFSET_METADATA_TOO_LARGE';
  if (Buffer.byteLength(key.topic) > TEXT_BYTES_MAX) return 'INVALID_REQUEST';
  if (ledger.offsets.liveCount + planned < OFFSETS_MAX) return null;
  return ledger.offsets.newest(key) === null ? 'INVALID_COMMIT_OFFSET_SIZE' : null;
}

function committedOffset(
  partition: RequestedPartition,
  nowMs: WallMs,
  expireTimestamp: number,
): CommittedOffset {
  return {
    offset: partition.committedOffset,
    leaderEpoch: partition.committedLeaderEpoch,
    metadata: partition.committedMetadata ?? '',
    commitTimestamp: nowMs,
    expireTimestamp,
  };
}

/** What a quorum has; commits on their way are not seen. */
export function fetchOffsets(
  request: OffsetFetchRequest,
  offsets: OffsetStore,
): OffsetFetchResponse {
  const { groupId } = request;
  if (request.topics === null) {
    const topics = Array.from(offsets.committedOf(groupId), ([name, partitions]) => ({
      name,
      partitions: partitions.map(([partition, committed]) => fetched(partition, committed)),
    }));
    return { groupId, error: null, topics };
  }
  const topics = request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partition) =>
      fetched(partition, offsets.committed({ groupId, topic: name, partition })),
    ),
  }));
  return { groupId, error: null, topics };
}

type FetchedPartition = OffsetFetchResponse['topics'][number]['partitions'][number];

function fetched(partitionIndex: number, committed: CommittedOffset | null): FetchedPartition {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '',
    error: null,
  };
}

/** The answer comes later: nothing of the request may be looked at by then. */
export function copyTopics(topics: OffsetFetchRequest['topics']): OffsetFetchRequest['topics'] {
  if (topics === null) return null;
  return topics.map(({ name, partitionIndexes }) => ({
    name,
    partitionIndexes: [...partitionIndexes],
  }));
}

/** OffsetDelete: not of topics that a member reads, nor from groups we cannot look into. */
export function deleteOffsets(
  request: OffsetDeleteRequest,
  group: ClassicGroup | undefined,
  ledger: Ledger,
  done: (response: OffsetDeleteResponse) => void,
): void {
  if (group === undefined) {
    done({ error: 'GROUP_ID_NOT_FOUND', topics: [] });
    return;
  }
  if (group.state !== 'Empty' && group.protocolType !== CONSUMER_PROTOCOL_TYPE) {
    done({ error: 'NON_EMPTY_GROUP', topics: [] });
    return;
  }
  const { groupId } = request;
  const changes: Change[] = [];
  const topics = request.topics.map(({ name, partitions }) => {
    const error: GroupError | null = group.isSubscribedTo(name)
      ? 'GROUP_SUBSCRIBED_TO_TOPIC'
      : null;
    for (const { partitionIndex: partition } of error === null ? partitions : []) {
      const key = { groupId, topic: name, partition };
      if (ledger.offsets.newest(key) !== null) changes.push({ kind: 'offset', key, value: null });
    }
    return {
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, error })),
    };
  });
  ledger.write(changes, (error) => {
    if (error === null) done({ error: null, topics });
    else done({ error: groupErrorOf(error), topics: [] });
  });
}

/** Every offset of these topics, in all groups. */
export function planTopicRemoval(names: ReadonlySet<string>, ledger: Ledger): Change[] {
  const changes: Change[] = [];
  for (const groupId of ledger.offsets.groupIds()) {
    for (const key of ledger.offsets.keysOf(groupId)) {
      if (!names.has(key.topic) || ledger.offsets.newest(key) === null) continue;
      changes.push({ kind: 'offset', key, value: null });
    }
  }
  return changes;
}
