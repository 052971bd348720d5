/**
 * Fetch with long poll: answers at once when `minBytes` are there or something is wrong, else when
 * a watermark moves or `maxWaitMs` is over. Sessions (KIP-227) are answered as "none": every request
 * names all its partitions. Record bytes leave as external parts, mostly by sendfile.
 */
import type { GroupKey } from '../base/group.js';
import { CLIENT_WAIT_MS_MAX } from '../base/limits.js';
import type { FetchOutcome } from '../partition/access.js';
import { fetchFailure } from '../partition/access.js';
import type { FetchRequest, FetchResponse, fetchApi } from '../protocol/messages/fetch.js';
import type { Handler, HandlerContext } from './context.js';
import { codeOf, kafkaCode } from './error-code.js';

type Wanted = {
  readonly topic: string;
  /** Null when the image has no such partition. */
  readonly group: GroupKey | null;
  readonly partition: FetchRequest['topics'][number]['partitions'][number];
};

export const fetch: Handler<typeof fetchApi> = (context, request, _info, respond) => {
  if (request.sessionId !== 0) {
    respond({ errorCode: kafkaCode('FETCH_SESSION_ID_NOT_FOUND'), responses: [] });
    return;
  }
  new FetchPoll(context, request, respond).start();
};

/** One Fetch request from its arrival to its answer. */
class FetchPoll {
  readonly #context: HandlerContext;
  readonly #request: FetchRequest;
  readonly #respond: (response: FetchResponse) => void;
  readonly #wanted: readonly Wanted[];
  readonly #bytesMax: number;
  #cancels: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isOver = false;
  #isAnswered = false;

  constructor(
    context: HandlerContext,
    request: FetchRequest,
    respond: (response: FetchResponse) => void,
  ) {
    this.#context = context;
    this.#request = request;
    this.#respond = respond;
    this.#bytesMax = Math.min(Math.max(request.maxBytes, 0), context.settings.fetchBytesMax);
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
    if (waitMs === 0) {
      this.#isOver = true;
    } else {
      this.#timer = setTimeout(() => {
        this.#isOver = true;
        this.#attempt();
      }, waitMs);
    }
    this.#attempt();
  }

  /** Asks every partition in the client's order, each with what is left of the byte budget. */
  #attempt(): void {
    this.#cancelPolls();
    const outcomes: FetchOutcome[] = [];
    let bytes = 0;
    const next = (): void => {
      while (outcomes.length < this.#wanted.length) {
        let isPending = true;
        let isAsync = false;
        this.#ask(this.#wanted[outcomes.length] as Wanted, bytes, (outcome) => {
          outcomes.push(outcome);
          bytes += dataBytes(outcome);
          isPending = false;
          if (isAsync) next();
        });
        isAsync = true;
        if (isPending) return;
      }
      this.#decide(outcomes, bytes);
    };
    next();
  }

  #ask({ group, partition }: Wanted, used: number, done: (outcome: FetchOutcome) => void): void {
    if (group === null) {
      done(fetchFailure('UNKNOWN_PARTITION'));
      return;
    }
    // The first batch of an answer may be larger than any budget, so that a reader gets on (KIP-74).
    const left = used === 0 ? Math.max(this.#bytesMax, 1) : this.#bytesMax - used;
    const request = {
      offset: partition.fetchOffset,
      maxBytes: Math.min(Math.max(partition.partitionMaxBytes, used === 0 ? 1 : 0), left),
      isFirst: used === 0,
      currentLeaderEpoch: partition.currentLeaderEpoch,
    };
    this.#context.partition(group).fetch(request, done);
  }

  #decide(outcomes: readonly FetchOutcome[], bytes: number): void {
    if (this.#isAnswered) return;
    const hasError = outcomes.some(({ error }) => error !== null && error !== 'OFFSET_NOT_AVAILABLE');
    if (this.#isOver || hasError || bytes >= this.#request.minBytes || outcomes.length === 0) {
      this.#answer(outcomes);
      return;
    }
    let isWoken = false;
    const wake = (): void => {
      if (isWoken || this.#isAnswered) return;
      isWoken = true;
      // After the turn that moved the watermark: a round of commits wakes once, not once a batch.
      setImmediate(() => this.#attempt());
    };
    outcomes.forEach((outcome, i) => {
      const { group, partition } = this.#wanted[i] as Wanted;
      if (group === null) return;
      const seen = Math.max(outcome.highWatermark, partition.fetchOffset);
      this.#cancels.push(this.#context.partition(group).onAdvance(seen, wake));
    });
  }

  #answer(outcomes: readonly FetchOutcome[]): void {
    this.#isAnswered = true;
    this.#cancelPolls();
    if (this.#timer !== null) clearTimeout(this.#timer);
    let i = 0;
    const responses = this.#request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => describe(partition, outcomes[i++] as FetchOutcome)),
    }));
    this.#respond({ errorCode: kafkaCode('NONE'), sessionId: 0, responses });
  }

  #cancelPolls(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
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
