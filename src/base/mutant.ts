/**
 * Classical mistakes, switched on one at a time to see whether the simulator notices. Its promise:
 * no setting, file or variable reaches this; only a test constructs a shard, a replica, a group
 * host or a control plane with one, and a test holds that nothing in the broker or the command line
 * speaks of it.
 */

/** In the Raft core. */
export const RAFT_MUTANTS = [
  'vote-without-log-check',
  'ack-before-sync',
  'count-self-before-sync',
  'commit-older-epoch',
  'vote-before-durable',
  'no-prev-epoch-check',
  'same-term-after-restart',
  'watermark-without-min',
  'serving-before-told',
] as const;

/** In the log on disk. */
export const LOG_MUTANTS = [
  'truncate-on-any-damage',
  'index-not-truncated',
  'sync-overtakes-append',
  'memory-counts-as-cached',
] as const;

/** In the partition and its producers. */
export const PARTITION_MUTANTS = [
  'producers-not-rebuilt',
  'duplicate-before-commit',
  'retention-above-watermark',
  'latest-before-first-commit',
  'ack-outlives-leadership',
] as const;

/** In the group coordinator. */
export const GROUP_MUTANTS = [
  'offset-commit-acked-before-commit',
  'empty-offset-while-loading',
  'generation-not-persisted',
  'generation-told-before-commit',
  'old-generation-commits',
  'offset-fetch-unconfirmed',
] as const;

/** In the control plane. */
export const CONTROL_MUTANTS = [
  'controller-decides-before-applied',
  'answer-before-commit',
  'answer-without-confirmation',
  'outcome-not-remembered',
  'refusal-not-remembered',
  'producer-block-before-commit',
  'snapshot-skips-last-batch',
  'tombstones-forgotten-early',
] as const;

export const MUTANTS = [
  ...RAFT_MUTANTS,
  ...LOG_MUTANTS,
  ...PARTITION_MUTANTS,
  ...GROUP_MUTANTS,
  ...CONTROL_MUTANTS,
] as const;
export type Mutant = (typeof MUTANTS)[number];
