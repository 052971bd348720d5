/**
 * Every bound that is not a setting, by name, in one place. A queue, buffer or table without a
 * bound here or in the settings is a defect.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Open calls from one thread of a broker to another. */
export const THREAD_CALLS_MAX = 65_536;

/** Bytes a Kafka connection may have waiting to be sent before it is no longer read. */
export const CLIENT_OUTBOUND_BYTES_MAX = 8 * MiB;

/** Requests of one connection that are worked on at once; above it the connection is not read. */
export const CLIENT_REQUESTS_MAX = 1_000;

/** Bytes a peer link may have waiting to be sent; Raft sends the rest later from the log. */
export const PEER_OUTBOUND_BYTES_MAX = 16 * MiB;

/** Largest frame between peers: a slice of the log with its header. */
export const PEER_FRAME_BYTES_MAX = 32 * MiB;

/** Calls of one node that wait for the leaders of partitions on another one, and back. */
export const FORWARDED_CALLS_MAX = 4_096;

/** Bytes of records that one forwarded fetch brings, but for a batch that is larger by itself. */
export const FORWARDED_FETCH_BYTES_MAX = 1 * MiB;

/** Produce requests of one partition that wait for their acknowledgement. */
export const PARTITION_PRODUCES_MAX = 100_000;

/** Long polls that wait at one partition. */
export const PARTITION_POLLS_MAX = 10_000;

/** Longest wait a client may ask of a long poll or an acknowledgement. */
export const CLIENT_WAIT_MS_MAX = 300_000;

/** A sync that takes longer than this is worth a line in the log. */
export const SLOW_SYNC_MS = 1_000;

/** Bytes that a thread's disk may hold back while its writes are slow; then its loop waits. */
export const WRITE_BEHIND_BYTES_MAX = 64 << 20;

/** Time a closing broker gives its leaders to move elsewhere. */
export const SHUTDOWN_TRANSFER_MS = 3_000;

/** Body of one HTTP request. */
export const HTTP_BODY_BYTES_MAX = 16 * MiB;

/** Headers of one HTTP request. */
export const HTTP_HEADER_BYTES_MAX = 16 * KiB;

/** Head of a request that a shard serves itself; a longer one is left to Node's own parser. */
export const HTTP_HEAD_BYTES_MAX = 8 * KiB;
export const HTTP_HEAD_HEADERS_MAX = 64;

/** How long the headers, and all of an HTTP request, may take to arrive. */
export const HTTP_HEADERS_MS_MAX = 10_000;
export const HTTP_REQUEST_MS_MAX = 60_000;

/** How long an HTTP connection may wait for its next request. */
export const HTTP_IDLE_MS_MAX = 60_000;

/** Records that one HTTP request writes or reads. */
export const HTTP_RECORDS_MAX = 10_000;

/** Headers of one record that is written by HTTP. */
export const HTTP_RECORD_HEADERS_MAX = 1_000;

/** Levels of arrays and objects in a record's value that is kept as its JSON. */
export const HTTP_JSON_DEPTH_MAX = 1_000;

/** Longest wait of an HTTP long poll. */
export const HTTP_WAIT_MS_MAX = 30_000;

/** Body of a request that a shard answers itself; a larger one goes to the framework. */
export const HTTP_HOT_BODY_BYTES_MAX = 1 * MiB;

/** Bytes of the log that a shard turns into the JSON of one answer; more goes to the framework. */
export const HTTP_HOT_READ_BYTES_MAX = 1 * MiB;

/** Records of one loop turn that become one batch have this many bytes, or are one. */
export const HTTP_TURN_BATCH_BYTES_MAX = 512 * KiB;

/** Memory for the cut records of a request, and how much of it a thread keeps for the next ones. */
export const HTTP_BLOCK_PLACE_BYTES = 64 * KiB;
export const HTTP_BLOCK_PLACES_MAX = 64;

/** Bytes of a stream that wait in the socket layer: file ranges, which take no memory. */
export const HTTP_STREAM_AHEAD_BYTES = 12 * MiB;

/** A stream whose client takes nothing for so long is ended. */
export const HTTP_STREAM_STALL_MS_MAX = 60_000;

/** Event streams of one node: each waits at a leader, which may be another node. */
export const HTTP_EVENT_STREAMS_MAX = 1_000;

/** Bytes an event stream may have waiting to be sent before nothing more is read for it. */
export const HTTP_EVENT_BYTES_MAX = 256 * KiB;

/** A silent event stream says so often that it is there. */
export const HTTP_EVENT_HEARTBEAT_MS = 15_000;

/** How long the client of an event stream may take nothing of what waits for it. */
export const HTTP_EVENT_STALL_MS_MAX = 60_000;

/** Consumer instances that live on one node. */
export const HTTP_CONSUMERS_MAX = 1_000;

/** A consumer instance that nobody asks for anything is given up after so long. */
export const HTTP_CONSUMER_IDLE_MS = 300_000;

/** Requests for one consumer instance that wait for each other. */
export const HTTP_CONSUMER_REQUESTS_MAX = 16;

/** Bytes of keys and values in one answer to a consumer instance. */
export const HTTP_CONSUMER_BYTES_MAX = 16 * MiB;

/** Topics of one subscription, partitions of one assignment. */
export const HTTP_CONSUMER_PARTITIONS_MAX = 1_000;
