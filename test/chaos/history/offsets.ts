/**
 * What clients are told about the ends of a log: nothing goes back (K6), what was acknowledged
 * before the question is known (K7), the stable offset is not above the high watermark (K8), and
 * an offset that is there is not out of range (K11). Pure.
 *
 * Which answers bind: ListOffsets(latest) is confirmed by a quorum, so it binds whoever asks. A
 * Fetch and ListOffsets(earliest) bind a client that names the leader epoch: only a leader of that
 * epoch answers, and it knows all that was committed in older ones. An ack binds its own epoch; but
 * the writer knows only an epoch that is not newer than the one that acknowledged. So an ack counts
 * for questions of the very epoch the writer knew (same node, and it has that epoch still), and
 * for those of an epoch that ListOffsets(latest) confirmed in an operation begun after the ack.
 */
import { EpochFloors } from './epoch-floors.js';
import type { EventOf, Question } from './events.js';
import { OpenOperations } from './open-operations.js';
import type { Report } from './violation.js';

type State = {
  /** End of all that was acknowledged. */
  ackedEnd: number;
  /** Highest answer of ListOffsets(latest), and epoch of such an answer. */
  latest: number;
  latestEpoch: number;
  readonly acks: EpochFloors;
  /** Ends of acks that are older than a confirmation of this epoch. */
  readonly confirmedAcks: EpochFloors;
  readonly highWatermarks: EpochFloors;
  readonly stableOffsets: EpochFloors;
  readonly logStarts: EpochFloors;
};

/** A question, with what its answer must not be below. */
type Asked = {
  readonly partition: string;
  readonly question: Question;
  readonly epoch: number;
  readonly offset: number;
  readonly acked: number;
  readonly highWatermark: number;
  readonly stableOffset: number;
  readonly logStart: number;
  readonly latestEpoch: number;
};

export class Offsets {
  readonly #report: Report;
  readonly #states = new Map<string, State>();
  readonly #open = new OpenOperations<Asked>();

  constructor(report: Report) {
    this.#report = report;
  }

  acked(partition: string, end: number, epoch: number): void {
    const state = this.#stateOf(partition);
    state.ackedEnd = Math.max(state.ackedEnd, end);
    state.acks.raise(epoch, end);
  }

  asked({ op, partition, question, epoch, offset }: EventOf<'asked'>): void {
    const state = this.#stateOf(partition);
    const isLatest = question === 'latest';
    const acked = Math.max(state.acks.exactly(epoch), state.confirmedAcks.at(epoch));
    const shown = state.highWatermarks.at(isLatest ? Infinity : epoch);
    this.#open.begin(op, {
      partition,
      question,
      epoch,
      offset,
      acked: isLatest ? state.ackedEnd : acked,
      highWatermark: isLatest ? Math.max(shown, state.latest) : shown,
      stableOffset: state.stableOffsets.at(epoch),
      logStart: state.logStarts.at(epoch),
      latestEpoch: state.latestEpoch,
    });
  }

  gaveUp(op: number): void {
    this.#open.end(op);
  }

  told({ op, highWatermark, lastStableOffset, logStartOffset, epoch }: EventOf<'told'>): void {
    const asked = this.#open.end(op);
    const state = this.#stateOf(asked.partition);
    if (asked.question === 'latest') this.#toldLatest(asked, state, highWatermark, epoch);
    else if (asked.question === 'fetch') {
      this.#checkEnd(asked, highWatermark);
      this.#mustNotGoBack(asked, 'stable offset', lastStableOffset, asked.stableOffset);
      if (lastStableOffset > highWatermark) {
        const what = `stable offset ${lastStableOffset}, high watermark ${highWatermark}`;
        this.#report('K8', `${asked.partition}: ${what}`);
      }
      state.highWatermarks.raise(asked.epoch, highWatermark);
      state.stableOffsets.raise(asked.epoch, lastStableOffset);
    }
    if (asked.question === 'latest') return;
    this.#mustNotGoBack(asked, 'log start', logStartOffset, asked.logStart);
    state.logStarts.raise(asked.epoch, logStartOffset);
  }

  outOfRange({ op, logStartOffset }: EventOf<'out-of-range'>): void {
    const asked = this.#open.end(op);
    const { partition, epoch, offset } = asked;
    const known = Math.max(asked.acked, asked.highWatermark);
    if (offset <= known && offset >= logStartOffset) {
      const what = `a log from ${logStartOffset} to ${known} at least`;
      this.#report('K11', `${partition}@${offset} of epoch ${epoch}: out of range of ${what}`);
    }
    this.#stateOf(partition).logStarts.raise(epoch, logStartOffset);
  }

  #toldLatest(asked: Asked, state: State, offset: number, epoch: number): void {
    this.#checkEnd(asked, offset);
    this.#mustNotGoBack(asked, 'leader epoch', epoch, asked.latestEpoch);
    state.latest = Math.max(state.latest, offset);
    state.latestEpoch = Math.max(state.latestEpoch, epoch);
    state.highWatermarks.raise(epoch, offset);
    state.confirmedAcks.raise(epoch, asked.acked);
  }

  /** An end that is too low for an ack breaks the stronger promise: only that is reported. */
  #checkEnd(asked: Asked, end: number): void {
    const { partition, question, epoch, acked, highWatermark } = asked;
    if (end < acked) {
      const what = `${question} (epoch ${epoch}) begun after an ack up to ${acked} ended at ${end}`;
      this.#report('K7', `${partition}: ${what}`);
    } else this.#mustNotGoBack(asked, 'high watermark', end, highWatermark);
  }

  #mustNotGoBack({ partition, question }: Asked, what: string, now: number, was: number): void {
    if (now < was) this.#report('K6', `${partition}: ${question}: ${what} ${now}, was ${was}`);
  }

  #stateOf(partition: string): State {
    const known = this.#states.get(partition);
    if (known !== undefined) return known;
    const state: State = {
      ackedEnd: -1,
      latest: -1,
      latestEpoch: -1,
      acks: new EpochFloors(),
      confirmedAcks: new EpochFloors(),
      highWatermarks: new EpochFloors(),
      stableOffsets: new EpochFloors(),
      logStarts: new EpochFloors(),
    };
    this.#states.set(partition, state);
    return state;
  }
}
