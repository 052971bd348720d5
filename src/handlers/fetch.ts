/**
 * Fetch with long poll: answers at once when `minBytes` are there or something is wrong, else when
 * a watermark moves or `maxWaitMs` is over. Sessions (KIP-227) are answered as "none": every
 * request names all its partitions. Record bytes leave as external parts, mostly by sendfile.
 */
import type { GroupKey } from '../base/group.js';
import { CLIENT_OUTBOUND_BYTES_MAX, CLIENT_WAIT_MS_MAX } from '../base/limits.js';
import type { FetchOutcome, FetchRequest as PartitionFetch } from '../partition/access.js';
import { fetchFailure } from '../partition/access.js';
import type { FetchRequest, FetchResponse, fetchApi } from '../protocol/messages/fetch.js';
import type { Handler, HandlerContext, RequestInfo } from './context.js';
import { codeOf, kafkaCode } from './error-code.js';
import { unknownPartition } from './unknown-partition.js';

type Wanted = {
  readonly topic: string;
  /** Null when the image has no such partition. */
  readonly group: GroupKey | null;
  readonly partition: FetchRequest['topics'][number]['partitions'][number];
};

export const fetch: Handler<typeof fetchApi> = (context, request, info, respond) => {
  if (request.sessionId !== 0) {
    respond({ errorCode: kafkaCode('FETCH_SESSION_ID_NOT_FOUND'), responses: [] });
    return;
  }
  new FetchPoll(context, request, info, respond).start();
};

/** A poll that found too few bytes looks again, however often watermarks move, only this often. */
const RETRY_MS = 5;

/** One Fetch request from its arrival to its answer. */
class FetchPoll {
  readonly #context: HandlerContext;
  readonly #request: FetchRequest;
  readonly #info: RequestInfo;
  readonly #respond: (response: FetchResponse) => void;
  readonly #wanted: readonly Wanted[];
  readonly #bytesMax: number;
  #cancels: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #attempts = 0;
  #isAttempting = false;
  /** The client waited as long as it wanted to. */
  #isOver = false;
  /** Answered, or nobody is there to answer. */
  #isEnded = false;

  constructor(
    context: HandlerContext,
    request: FetchRequest,
    info: RequestInfo,
    respond: (response: FetchResponse) => void,
  ) {
    this.#context = context;
    this.#request = request;
    this.#info = info;
    this.#respond = respond;
    this.#bytesMax = Math.min(Math.max(request.maxBytes, 1), context.settings.fetchBytesMax);
    const image = context.image();
    this.#wanted = request.topics.flatMap(({ topic, partitions }) => {
      const known = image.topics.get(topic);
      return partitions.map((partition) => ({
        topic,
        partition,
        group:
          known?.partitions[partition.partition] === undefined
            ? null
            : { topicId: known.topicId, partition: partition.partition },
      }));
    });
  }

  start(): void {
    const waitMs = Math.min(Math.max(this.#request.maxWaitMs, 0), CLIENT_WAIT_MS_MAX);
    this.#isOver = waitMs === 0;
    this.#attempt();
    if (this.#isEnded) return;
    this.#info.onGone.add(this.#end);
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#attempt();
    }, waitMs);
  }

  /** Asks every partition in the client's order, each with what is left of the byte budget. */
  #attempt(): void {
    if (this.#isEnded || this.#isAttempting) return;
    this.#isAttempting = true;
    this.#attempts++;
    this.#cancelPolls();
    const found = new Found(this.#bytesMax);
    const next = (): void => {
      while (found.outcomes.length < this.#wanted.length) {
        let isPending = true;
        let isLater = false;
        this.#ask(this.#wanted[found.outcomes.length] as Wanted, found, (outcome) => {
          found.add(outcome);
          isPending = false;
          if (isLater) next();
        });
        isLater = true;
        if (isPending) {
          found.hasWaited = true;
          return;
        }
      }
      this.#isAttempting = false;
      this.#decide(found);
    };
    next();
  }

  #ask({ group, partition }: Wanted, found: Found, done: (outcome: FetchOutcome) => void): void {
    if (group === null) {
      found.asked.push(null);
      done(fetchFailure(unknownPartition(this.#context)));
      return;
    }
    const { bytesLeft, isEmpty } = found;
    const request: PartitionFetch = {
      offset: partition.fetchOffset,
      // The first batch of an answer may exceed any budget, so that a reader gets on (KIP-74).
      maxBytes: Math.min(Math.max(partition.partitionMaxBytes, isEmpty ? 1 : 0), bytesLeft),
      isFirst: isEmpty,
      currentLeaderEpoch: partition.currentLeaderEpoch,
    };
    found.asked.push(request);
    this.#context.partition(group).fetch(request, done);
  }

  #decide(found: Found): void {
    if (this.#isEnded) return;
    const { outcomes, bytes } = found;
    const hasError = outcomes.some(
      ({ error }) => error !== null && error !== 'OFFSET_NOT_AVAILABLE',
    );
    if (this.#isOver || hasError || bytes >= this.#request.minBytes || outcomes.length === 0) {
      this.#answer(found);
      return;
    }
    let isWoken = false;
    const wake = (): void => {
      if (isWoken) return;
      isWoken = true;
      // After the turn that moved the watermark: a round of commits wakes once, not once a batch.
      if (this.#attempts === 1) setImmediate(() => this.#attempt());
      else setTimeout(() => this.#attempt(), RETRY_MS);
    };
    outcomes.forEach((outcome, i) => {
      const { group, partition } = this.#wanted[i] as Wanted;
      if (group === null) return;
      const seen =
        outcome.error === null ? Math.max(outcome.highWatermark, partition.fetchOffset) : -1;
      this.#cancels.push(this.#context.partition(group).onAdvance(seen, wake));
    });
  }

  #answer(found: Found): void {
    this.#end();
    const outcomes = found.hasWaited ? this.#refreshed(found) : found.outcomes;
    this.#count(outcomes);
    let i = 0;
    const responses = this.#request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) =>
        describe(partition, outcomes[i++] as FetchOutcome),
      ),
    }));
    this.#respond({ errorCode: kafkaCode('NONE'), sessionId: 0, responses });
  }

  /**
   * A range of a file is good in the turn it was found in only. When another shard had to be waited
   * for, partitions of this shard (they alone give ranges, and at once) are asked again.
   */
  #refreshed({ outcomes, asked }: Found): FetchOutcome[] {
    return outcomes.map((outcome, i) => {
      const { group } = this.#wanted[i] as Wanted;
      const request = asked[i] ?? null;
      if (group === null || request === null || outcome.data?.kind !== 'range') return outcome;
      let again = outcome;
      this.#context.partition(group).fetch(request, (fresh) => {
        again = fresh;
      });
      return again;
    });
  }

  /** Records are counted from the one that was asked for, as its client will see them. */
  #count(outcomes: readonly FetchOutcome[]): void {
    outcomes.forEach(({ data }, i) => {
      const { group, partition } = this.#wanted[i] as Wanted;
      if (data === null || group === null) return;
      const { nextOffset } = data.kind === 'range' ? data.range : data;
      const bytes = data.kind === 'range' ? data.range.length : data.bytes.length;
      this.#context.sent(group.topicId, bytes, nextOffset - partition.fetchOffset);
    });
  }

  /** From here on nothing happens any more but an answer. */
  readonly #end = (): void => {
    this.#isEnded = true;
    this.#cancelPolls();
    this.#info.onGone.delete(this.#end);
    if (this.#timer !== null) clearTimeout(this.#timer);
  };

  #cancelPolls(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
  }
}

/** What one round of questions brought so far. */
class Found {
  readonly outcomes: FetchOutcome[] = [];
  /** What was asked of each partition; null of one that is not known. */
  readonly asked: (PartitionFetch | null)[] = [];
  bytes = 0;
  /** Whether time passed between the first answer and the last. */
  hasWaited = false;
  readonly #bytesMax: number;
  /** Bytes that came from another shard lie in memory until the client has taken them. */
  #copiedBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  get bytesLeft(): number {
    if (this.#copiedBytes >= CLIENT_OUTBOUND_BYTES_MAX) return 0;
    return Math.max(0, this.#bytesMax - this.bytes);
  }

  add(outcome: FetchOutcome): void {
    const bytes = dataBytes(outcome);
    this.outcomes.push(outcome);
    this.bytes += bytes;
    if (outcome.data?.kind === 'bytes') this.#copiedBytes += bytes;
  }
}

type PartitionResponse = FetchResponse['responses'][number]['partitions'][number];

const NO_RECORDS = { bytes: Buffer.alloc(0), start: 0, length: 0 };

function describe(partitionIndex: number, outcome: FetchOutcome): PartitionResponse {
  return {
    partitionIndex,
    errorCode: outcome.error === null ? kafkaCode('NONE') : codeOf(outcome.error),
    highWatermark: outcome.highWatermark,
    lastStableOffset: outcome.lastStableOffset,
    logStartOffset: outcome.logStartOffset,
    abortedTransactions: null,
    records: recordsOf(outcome),
  };
}

function recordsOf({ data }: FetchOutcome): PartitionResponse['records'] {
  if (data === null) return NO_RECORDS;
  if (data.kind === 'range') return { external: data.range, length: data.range.length };
  return { bytes: data.bytes, start: 0, length: data.bytes.length };
}

function dataBytes({ data }: FetchOutcome): number {
  if (data === null) return 0;
  return data.kind === 'range' ? data.range.length : data.bytes.length;
}
