/**
 * Raft messages ⇄ flat arrays of plain values, which msgpack packs tightly. The two ends of a link
 * know who they are, so `from` and `to` are not repeated; the link adds them from its handshake.
 * Decoding never throws on foreign values: it returns null. Pure.
 *
 *     [kind, term, fields of the kind …]     position = offset, marks     slices = count, slice …
 */
import type { VoterId } from '../base/group.js';
import type { Mark } from '../base/mark.js';
import type { EpochEntry, Position } from '../base/position.js';
import type { Append, RaftMessage, Rejection, Slice } from '../raft/messages.js';

const KINDS = [
  'pre-vote',
  'pre-voted',
  'vote',
  'voted',
  'append',
  'heartbeat',
  'appended',
  'snapshot',
  'snapshot-received',
  'timeout-now',
] as const;

type Value = number | boolean | Uint8Array;

const SLICE_BATCHES = 0;
const SLICE_EPOCH_START = 1;
const SLICE_LOG_START = 2;

export function encodeMessage(message: RaftMessage): Value[] {
  const out: Value[] = [KINDS.indexOf(message.type), message.term];
  switch (message.type) {
    case 'pre-vote':
      out.push(message.nonce, message.lastEpoch, message.isForgetful);
      pushPosition(out, message.lastPosition);
      return out;
    case 'pre-voted':
      out.push(message.nonce, message.isGranted, message.hasLeader, message.isForgetful);
      out.push(message.lastEpoch);
      pushPosition(out, message.lastPosition);
      return out;
    case 'vote':
      out.push(message.lastEpoch, message.isTransfer, message.isRecovery);
      pushPosition(out, message.lastPosition);
      return out;
    case 'voted':
      out.push(message.isGranted);
      return out;
    case 'append':
      out.push(message.round, message.prevEpoch, message.remembered);
      pushPosition(out, message.prevPosition);
      pushPosition(out, message.commit);
      out.push(message.slices.length);
      for (const slice of message.slices) pushSlice(out, slice);
      return out;
    case 'heartbeat':
      out.push(message.round, message.remembered);
      pushPosition(out, message.commit);
      return out;
    case 'appended':
      out.push(message.round, message.forgetful);
      pushPosition(out, message.match);
      pushPosition(out, message.received);
      pushRejection(out, message.rejection);
      return out;
    case 'snapshot':
      out.push(message.round, message.totalBytes, message.chunkStart, message.bytes);
      pushPosition(out, message.position);
      pushEpochs(out, message.epochs);
      return out;
    case 'snapshot-received':
      out.push(message.round, message.receivedBytes);
      pushPosition(out, message.position);
      return out;
    case 'timeout-now':
      return out;
  }
}

/** Null when `values` is no message; extra values are refused too. */
export function decodeMessage(values: unknown, from: VoterId, to: VoterId): RaftMessage | null {
  if (!Array.isArray(values)) return null;
  const reader = new Reader(values);
  const kind = KINDS[reader.count()];
  const term = reader.count();
  if (kind === undefined) return null;
  const message = readBody(kind, reader, term, from, to);
  return reader.isComplete ? message : null;
}

/** Bytes of batches that travel behind the header for this message. */
export function payloadBytes(message: RaftMessage): number {
  if (message.type !== 'append') return 0;
  let bytes = 0;
  for (const slice of message.slices) if (slice.kind === 'batches') bytes += slice.byteLength;
  return bytes;
}

function readBody(
  type: (typeof KINDS)[number],
  r: Reader,
  term: number,
  from: VoterId,
  to: VoterId,
): RaftMessage {
  switch (type) {
    case 'pre-vote': {
      const [nonce, lastEpoch, isForgetful] = [r.count(), r.epoch(), r.flag()];
      const lastPosition = r.position();
      return { type, from, to, term, nonce, lastEpoch, isForgetful, lastPosition };
    }
    case 'pre-voted': {
      const [nonce, isGranted, hasLeader] = [r.count(), r.flag(), r.flag()];
      const [isForgetful, lastEpoch, lastPosition] = [r.flag(), r.epoch(), r.position()];
      const envelope = { type, from, to, term, nonce } as const;
      return { ...envelope, isGranted, hasLeader, isForgetful, lastEpoch, lastPosition };
    }
    case 'vote': {
      const [lastEpoch, isTransfer, isRecovery] = [r.epoch(), r.flag(), r.flag()];
      const lastPosition = r.position();
      return { type, from, to, term, lastEpoch, isTransfer, isRecovery, lastPosition };
    }
    case 'voted':
      return { type, from, to, term, isGranted: r.flag() };
    case 'append':
      return readAppend(r, term, from, to);
    case 'heartbeat': {
      const [round, remembered, commit] = [r.count(), r.count(), r.position()];
      return { type, from, to, term, round, remembered, commit };
    }
    case 'appended': {
      const [round, forgetful, match] = [r.count(), r.count(), r.position()];
      const [received, rejection] = [r.position(), r.rejection()];
      return { type, from, to, term, round, forgetful, match, received, rejection };
    }
    case 'snapshot': {
      const [round, totalBytes, chunkStart] = [r.count(), r.count(), r.count()];
      const [bytes, position, epochs] = [r.bytes(), r.position(), r.epochs()];
      const envelope = { type, from, to, term, round } as const;
      return { ...envelope, totalBytes, chunkStart, bytes, position, epochs };
    }
    case 'snapshot-received': {
      const [round, receivedBytes, position] = [r.count(), r.count(), r.position()];
      return { type, from, to, term, round, receivedBytes, position };
    }
    case 'timeout-now':
      return { type, from, to, term };
  }
}

function readAppend(r: Reader, term: number, from: VoterId, to: VoterId): Append {
  const [round, prevEpoch, remembered] = [r.count(), r.epoch(), r.count()];
  const [prevPosition, commit, slices] = [r.position(), r.position(), r.slices()];
  return {
    type: 'append',
    from,
    to,
    term,
    round,
    prevEpoch,
    remembered,
    prevPosition,
    commit,
    slices,
  };
}

function pushPosition(out: Value[], position: Position): void {
  out.push(position.offset, position.marks);
}

function pushSlice(out: Value[], slice: Slice): void {
  if (slice.kind === 'batches') {
    out.push(SLICE_BATCHES, slice.epoch, slice.byteLength);
    pushPosition(out, slice.from);
    out.push(slice.to.offset);
    return;
  }
  const { kind, epoch, at, logStartOffset } = slice.mark;
  out.push(kind === 'epoch-start' ? SLICE_EPOCH_START : SLICE_LOG_START, epoch);
  pushPosition(out, at);
  if (kind === 'log-start') out.push(logStartOffset ?? 0);
}

function pushRejection(out: Value[], rejection: Rejection | null): void {
  out.push(rejection !== null);
  if (rejection === null) return;
  pushPosition(out, rejection.position);
  out.push(rejection.epoch);
  pushPosition(out, rejection.end);
}

function pushEpochs(out: Value[], epochs: readonly EpochEntry[]): void {
  out.push(epochs.length);
  for (const { epoch, start } of epochs) {
    out.push(epoch);
    pushPosition(out, start);
  }
}

/** Takes values one by one; a wrong one makes the whole message a fault. */
class Reader {
  readonly #values: readonly unknown[];
  #at = 0;
  #isFaulty = false;

  constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  get isComplete(): boolean {
    return !this.#isFaulty && this.#at === this.#values.length;
  }

  /** An integer that is not negative. */
  count(): number {
    return this.#integer(0);
  }

  epoch(): number {
    return this.#integer(-1);
  }

  flag(): boolean {
    const value = this.#values[this.#at++];
    if (typeof value === 'boolean') return value;
    this.#isFaulty = true;
    return false;
  }

  bytes(): Uint8Array {
    const value = this.#values[this.#at++];
    if (value instanceof Uint8Array) return value;
    this.#isFaulty = true;
    return new Uint8Array(0);
  }

  position(): Position {
    return { offset: this.count(), marks: this.count() };
  }

  slices(): Slice[] {
    const slices: Slice[] = [];
    // The array itself bounds the loop: a promised count without values ends it.
    for (let left = this.count(); left > 0 && !this.#isFaulty; left--) slices.push(this.#slice());
    return slices;
  }

  epochs(): EpochEntry[] {
    const epochs: EpochEntry[] = [];
    for (let left = this.count(); left > 0 && !this.#isFaulty; left--) {
      epochs.push({ epoch: this.count(), start: this.position() });
    }
    return epochs;
  }

  rejection(): Rejection | null {
    if (!this.flag()) return null;
    return { position: this.position(), epoch: this.epoch(), end: this.position() };
  }

  #slice(): Slice {
    const kind = this.count();
    const epoch = this.count();
    if (kind === SLICE_BATCHES) {
      const byteLength = this.count();
      const from = this.position();
      const to = { offset: this.count(), marks: from.marks };
      return { kind: 'batches', from, to, epoch, byteLength };
    }
    const at = this.position();
    if (kind === SLICE_EPOCH_START) return markSlice({ kind: 'epoch-start', epoch, at });
    if (kind !== SLICE_LOG_START) this.#isFaulty = true;
    return markSlice({ kind: 'log-start', epoch, at, logStartOffset: this.count() });
  }

  #integer(least: number): number {
    const value = this.#values[this.#at++];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
    this.#isFaulty = true;
    return 0;
  }
}

function markSlice(mark: Mark): Slice {
  return { kind: 'mark', mark };
}
