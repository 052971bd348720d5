/**
 * Bounds of the group coordinator that are not settings. Each names what happens at the bound, so
 * that a flood of groups, members or offsets ends in an error code and never in memory.
 */

const KiB = 1024;

/** Groups of one coordinator; a further one is refused with COORDINATOR_NOT_AVAILABLE. */
export const GROUPS_MAX = 20_000;

/** Offsets one coordinator holds over all its groups; a new one beyond is refused. */
export const OFFSETS_MAX = 1_000_000;

/**
 * Everything one group stores in its metadata record (ids, subscriptions, assignments). The record
 * must fit into one batch of `message.max.bytes`, as in Kafka.
 */
export const GROUP_RECORD_BYTES_MAX = 1_000_000;

/** Protocols one member may offer; Kafka's clients offer one to three. */
export const MEMBER_PROTOCOLS_MAX = 64;

/** UTF-8 bytes of a client-given id or name; records count them in 16 bits. */
export const TEXT_BYTES_MAX = 32_000;

/** Groups looked at in one tick of the offset expiry. */
export const EXPIRY_STEP_GROUPS = 500;

/** Pause between two rounds of the offset expiry (Kafka's offsets.retention.check.interval.ms). */
export const EXPIRY_INTERVAL_MS = 10 * 60_000;

/** A snapshot that failed, or whose log start has not moved, is not tried again before this. */
export const SNAPSHOT_RETRY_MS = 10_000;

/** A first JoinGroup may wait this long (Kafka's value); its sender cannot heartbeat yet. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60_000;

/**
 * The longest step group time takes at once. When the process was held up for longer, heartbeats
 * wait unread in the sockets: members must not be declared dead for the coordinator's own pause.
 * Whoever ticks a coordinator must do it more often than this.
 */
export const TIME_STEP_MS_MAX = 1_000;

/** Sizes of the coordinator's steps; tests make them small so that every boundary is crossed. */
export type CoordinatorKnobs = {
  /** Bytes of the records in one append; a larger set is split, each part is one batch. */
  readonly appendBytesMax: number;
  /** Records in one append. */
  readonly appendRecordsMax: number;
  /** Bytes of log looked at in one step of loading, so that the loop is never held for long. */
  readonly loadStepBytes: number;
  /** Groups brought to life in one step of loading. */
  readonly loadStepGroups: number;
  /**
   * A snapshot is written when the log has more records than this or more bytes than that, and
   * that is more than `snapshotLiveRatio` times what lives: copying then costs a fraction of what
   * was written, and a reload reads a bounded multiple of what it keeps.
   */
  readonly snapshotRecordsMin: number;
  readonly snapshotBytesMin: number;
  readonly snapshotLiveRatio: number;
};

export const DEFAULT_KNOBS: CoordinatorKnobs = {
  appendBytesMax: 512 * KiB,
  appendRecordsMax: 2_000,
  loadStepBytes: 256 * KiB,
  loadStepGroups: 200,
  snapshotRecordsMin: 10_000,
  snapshotBytesMin: 4 * KiB * KiB,
  snapshotLiveRatio: 4,
};
