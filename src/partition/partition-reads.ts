/**
 * What may be read of a partition, and by whom: only the leader answers, only what a majority has,
 * and a question for "now" only after a quorum confirmed that it still leads. Shard thread.
 */
import { assert } from '../base/assert.js';
import type { Mutant } from '../base/mutant.js';
import type { LeaderEpoch } from '../base/units.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { Replica } from '../replication/replica.js';
import {
  type EpochEndAnswer,
  type Extent,
  type ExtentRequest,
  extentFailure,
  type FetchOutcome,
  type FetchRequest,
  fetchFailure,
  type OffsetAnswer,
  type OffsetQuestion,
  type PartitionError,
} from './access.js';
import { lookUpOffset, offsetAnswer, offsetFailure } from './offset-lookup.js';
import { readErrorOf } from './storage-code.js';

export type PartitionReadsOptions = {
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly hasFailed: () => boolean;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

export class PartitionReads {
  readonly #options: PartitionReadsOptions;

  constructor(options: PartitionReadsOptions) {
    this.#options = options;
  }

  fetch(request: FetchRequest): FetchOutcome {
    try {
      return this.#fetch(request);
    } catch (error) {
      return fetchFailure(readErrorOf(error));
    }
  }

  extent(request: ExtentRequest): Extent {
    try {
      return this.#extent(request);
    } catch (error) {
      return extentFailure(readErrorOf(error));
    }
  }

  offsetFor(
    question: OffsetQuestion,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: OffsetAnswer) => void,
  ): void {
    const { replica, log, mutant } = this.#options;
    const error = this.#refusal(currentLeaderEpoch);
    if (error !== null) {
      done(offsetFailure(error));
      return;
    }
    if (!replica.isServing && mutant !== 'latest-before-first-commit') {
      done(offsetFailure('OFFSET_NOT_AVAILABLE'));
      return;
    }
    if (question.kind !== 'latest') {
      const { highWatermark, leaderEpoch } = replica;
      done(lookUpOffset({ log, highWatermark, leaderEpoch }, question));
      return;
    }
    // Recency: a deposed leader must not answer, so a quorum confirms after the request (R13).
    replica.confirmLeadership((isConfirmed) => {
      const { highWatermark, leaderEpoch } = replica;
      done(
        isConfirmed ? offsetAnswer(highWatermark, -1, leaderEpoch) : offsetFailure('NOT_LEADER'),
      );
    });
  }

  epochEnd(leaderEpoch: LeaderEpoch, currentLeaderEpoch: LeaderEpoch | -1): EpochEndAnswer {
    const error = this.#refusal(currentLeaderEpoch);
    if (error !== null) return { error, leaderEpoch: -1, endOffset: -1 };
    const end = this.#options.log.epochEnd(leaderEpoch);
    return { error: null, leaderEpoch: end.epoch, endOffset: end.endOffset };
  }

  #fetch(request: FetchRequest): FetchOutcome {
    const { replica, log } = this.#options;
    const error = this.#refusal(request.currentLeaderEpoch);
    if (error !== null) return fetchFailure(error);
    if (!replica.isServing) return fetchFailure('OFFSET_NOT_AVAILABLE');
    const highWatermark = replica.highWatermark;
    const { logStartOffset } = log;
    assert(logStartOffset <= highWatermark && highWatermark <= log.logEnd.offset, 'watermarks', {
      logStartOffset,
      highWatermark,
      logEndOffset: log.logEnd.offset,
    });
    if (request.offset < logStartOffset || request.offset > log.logEnd.offset) {
      return { ...fetchFailure('OFFSET_OUT_OF_RANGE'), highWatermark, logStartOffset };
    }
    const range =
      request.offset < highWatermark && request.maxBytes > 0
        ? log.locate(request.offset, request.maxBytes, highWatermark)
        : null;
    const isSent = range !== null && (request.isFirst || range.length <= request.maxBytes);
    return {
      error: null,
      highWatermark,
      lastStableOffset: highWatermark,
      logStartOffset,
      data: isSent ? { kind: 'range', range } : null,
    };
  }

  #extent({ offset, endOffset }: ExtentRequest): Extent {
    const { replica, log } = this.#options;
    const error = this.#refusal(-1);
    if (error !== null) return extentFailure(error);
    if (!replica.isServing) return extentFailure('OFFSET_NOT_AVAILABLE');
    const { highWatermark, leaderEpoch } = replica;
    const { logStartOffset } = log;
    const facts = { highWatermark, logStartOffset, leaderEpoch };
    if (offset < logStartOffset || offset > highWatermark) {
      return { ...extentFailure('OFFSET_OUT_OF_RANGE'), ...facts };
    }
    const end = Math.min(endOffset ?? highWatermark, highWatermark);
    return { error: null, ...log.extent(offset, Math.max(offset, end)), ...facts };
  }

  /** Why this replica does not answer readers who think that it leads in an epoch. */
  #refusal(currentLeaderEpoch: LeaderEpoch | -1): PartitionError | null {
    const { replica, hasFailed } = this.#options;
    if (hasFailed()) return 'STORAGE_FAILED';
    if (currentLeaderEpoch !== -1 && currentLeaderEpoch < replica.leaderEpoch) {
      return 'FENCED_LEADER_EPOCH';
    }
    if (currentLeaderEpoch > replica.leaderEpoch) return 'UNKNOWN_LEADER_EPOCH';
    return replica.role === 'leader' ? null : 'NOT_LEADER';
  }
}
