/**
 * Bounds and intervals of the control plane, in one place. Times in milliseconds, sizes in bytes.
 */

/** Deleted topic ids kept in the image while some registered broker has not confirmed. */
export const DELETED_TOPICS_MAX = 100_000;
/** How many of the oldest go at once when the bound is passed, so that the sort is paid rarely. */
export const DELETED_TOPICS_SLACK = 1_000;

/** Remembered answers: between one and two generations of this many, or of this many bytes. */
export const OUTCOMES_PER_GENERATION = 512;
export const OUTCOME_BYTES_MAX = 256 * 1024;

/** Partitions of one topic, and of all topics of a cluster. */
export const TOPIC_PARTITIONS_MAX = 10_000;
export const CLUSTER_PARTITIONS_MAX = 200_000;

/** Characters of one topic config's value. */
export const CONFIG_VALUE_LENGTH_MAX = 1_000;

/** One operation is one batch; larger requests are refused and can be split by the client. */
export const METADATA_BATCH_BYTES_MAX = 1024 * 1024;

/** Producer ids handed to a broker at once (Kafka's block size). */
export const PRODUCER_IDS_PER_BLOCK = 1_000;

/** Requests of this node that wait for an answer, and requests of others that wait for a commit. */
export const REQUESTS_PENDING_MAX = 2_000;

/** An unanswered request is sent again after this long. */
export const REQUEST_RETRY_MS = 250;

/** How long an operation waits for every live broker to know its outcome and have leaders. */
export const SETTLE_WAIT_MS_MAX = 5_000;

/** Committed bytes applied in one read from the metadata log. */
export const APPLY_READ_BYTES_MAX = 1024 * 1024;

/** Leader entries in one announcement message. */
export const ANNOUNCE_ENTRIES_MAX = 2_000;
/** Led partitions told again in each refresh round, and the time between rounds. */
export const REFRESH_ENTRIES_MAX = 500;
export const REFRESH_INTERVAL_MS = 5_000;

/** Tombstones are looked at this often. */
export const FORGET_INTERVAL_MS = 10_000;

/** Snapshot also after this many records, whatever their size. */
export const SNAPSHOT_RECORDS_MAX = 10_000;

/** Pause of the controller's own records (fencing and the like) after the log refused a batch. */
export const APPEND_REST_MS = 1_000;

/** A registration is asked for again after this long, and each attempt given up after this. */
export const REGISTRATION_RETRY_MS = 500;
export const REGISTRATION_TIMEOUT_MS = 10_000;
