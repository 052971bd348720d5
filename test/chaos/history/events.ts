/**
 * What clients of a cluster saw, as data: the input of the history checker. Promise to keep by who
 * notes them: events stand in the order of real time, so that what is noted before an operation
 * began was over by then. An operation is `asked` and later `told` or `gaveUp`, under one number.
 * `partition` is `topic:partition`; an offset, epoch or id that is not known is -1.
 */

export type BatchKey = { readonly writer: number; readonly batch: number };

export type WriteEvent =
  /** Before the first byte leaves. */
  | (BatchKey & { kind: 'sent'; partition: string; records: number })
  /** `epoch`: the newest leader epoch the writer knew, of the node that answered. */
  | (BatchKey & { kind: 'acked'; baseOffset: number; epoch: number })
  /** For certain: it must never be read. */
  | (BatchKey & { kind: 'refused' })
  /** No answer, or one that proves nothing. */
  | (BatchKey & { kind: 'unknown' })
  /** The sequence of an idempotent producer was refused although it is the next one. */
  | (BatchKey & { kind: 'sequence-refused' })
  /** An acknowledged batch, sent again within the window, was answered; -1: it was refused. */
  | (BatchKey & { kind: 'answered-again'; baseOffset: number });

export type ReadEvent =
  /** A reader by assignment is to begin (again) at this offset. */
  | { kind: 'seek'; reader: string; partition: string; offset: number }
  /** It was given the offsets [from, to). */
  | { kind: 'given'; reader: string; partition: string; from: number; to: number }
  /** It has read all there is: it should stand at `offset`. */
  | { kind: 'end'; reader: string; partition: string; offset: number }
  /** A record batch as it was served; `digest` is of everything behind the leader epoch. */
  | {
      kind: 'batch';
      partition: string;
      baseOffset: number;
      nextOffset: number;
      leaderEpoch: number;
      isSound: boolean;
      digest: string;
      /** In the answer that carried it. */
      highWatermark: number;
      producer: ProducerFields;
      /** Part of the last reading, which sees every batch that stays. */
      isFinal: boolean;
    }
  /** An answer that a careful client refuses and asks for again; only where that is tolerated. */
  | { kind: 'damaged'; partition: string }
  | { kind: 'record'; partition: string; offset: number; value: string; isFinal: boolean };

/** `producerId` -1: not an idempotent producer's. */
export type ProducerFields = {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
};

export type Question = 'latest' | 'earliest' | 'fetch';

export type OffsetEvent =
  /** `epoch`: the leader epoch named in the request; `offset`: where a fetch begins. */
  | {
      kind: 'asked';
      op: number;
      partition: string;
      question: Question;
      epoch: number;
      offset: number;
    }
  /** The answer of ListOffsets stands in the field it is about; `epoch` is the answer's. */
  | {
      kind: 'told';
      op: number;
      highWatermark: number;
      lastStableOffset: number;
      logStartOffset: number;
      epoch: number;
    }
  | { kind: 'out-of-range'; op: number; logStartOffset: number }
  | { kind: 'gave-up'; op: number };

/** Somebody says who leads. What one `source` says is in order; null: it says it once. */
export type LeaderEvent = {
  kind: 'leader';
  source: string | null;
  partition: string;
  epoch: number;
  /** -1: nobody, or it does not say. */
  node: number;
};

export type GroupEvent =
  | { kind: 'group-asked'; op: number; group: string }
  /** JoinGroup was answered with a generation and its leading member. */
  | { kind: 'joined'; op: number; generation: number; leader: string }
  /** SyncGroup was answered: these partitions are the member's in this generation. */
  | {
      kind: 'assigned';
      op: number;
      generation: number;
      member: string;
      partitions: readonly string[];
      atMs: number;
    }
  /** A heartbeat was answered without an error. */
  | { kind: 'confirmed'; op: number; generation: number; member: string }
  | { kind: 'group-gave-up'; op: number }
  /** A member stopped without a word. */
  | { kind: 'died'; group: string; member: string; atMs: number }
  /** Members of the group, whichever, were given the offsets [from, to). */
  | { kind: 'group-read'; group: string; partition: string; from: number; to: number }
  /** The group went up to this offset; members of its own make its commits, so none is noted. */
  | { kind: 'group-at'; group: string; partition: string; offset: number };

export type CommitEvent =
  /** `token` names this commit and nothing else (it travels as metadata). */
  | {
      kind: 'commit';
      op: number;
      group: string;
      partition: string;
      offset: number;
      token: string;
      generation: number;
    }
  | { kind: 'committed'; op: number }
  | { kind: 'commit-refused'; op: number }
  | { kind: 'commit-unknown'; op: number }
  | { kind: 'position-asked'; op: number; group: string; partition: string }
  /** Offset -1 and an empty token: nothing is committed. */
  | { kind: 'position'; op: number; offset: number; token: string }
  | { kind: 'position-gave-up'; op: number };

export type HistoryEvent =
  | WriteEvent
  | ReadEvent
  | OffsetEvent
  | LeaderEvent
  | GroupEvent
  | CommitEvent;

export type EventOf<K extends HistoryEvent['kind']> = Extract<HistoryEvent, { kind: K }>;
