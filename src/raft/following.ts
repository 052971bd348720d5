/**
 * What a replica does with a leader's word: match, append, acknowledge what is durable, learn the
 * commit position, take a snapshot when it is too far behind. One promise: an answer never covers
 * an entry that is not the leader's, or not durable here (R9).
 */
import { assert } from '../base/assert.js';
import type { VoterId } from '../base/group.js';
import {
  comparePositions,
  type EpochEntry,
  isSamePosition,
  minPosition,
  ORIGIN,
  type Position,
} from '../base/position.js';
import type { Core } from './core.js';
import {
  type Append,
  EPOCH_NONE,
  type Heartbeat,
  type Rejection,
  type SnapshotChunk,
  type Slice,
  sliceEnd,
  sliceEpoch,
  sliceStart,
  type Term,
} from './messages.js';

type Assembly = {
  readonly term: Term;
  readonly position: Position;
  readonly totalBytes: number;
  readonly chunks: Uint8Array[];
  receivedBytes: number;
};

export class Following {
  readonly #core: Core;
  /** Newest heartbeat round heard in this term; echoed, so that the leader can count us in. */
  #round = 0;
  /** An answer waits for the disk. */
  #isAckDue = false;
  #assembly: Assembly | null = null;
  /** Who leads the core's term; null while unknown. */
  leader: VoterId | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  /** A new term, or the same one with its leader known at last. */
  follow(leader: VoterId | null): void {
    this.leader = leader;
    this.#round = 0;
    this.#isAckDue = false;
    this.#assembly = null;
  }

  onAppend(message: Append): void {
    const { log, config } = this.#core;
    this.#noteLeader(message);
    if (!isWellFormed(message)) {
      this.#core.emit({ kind: 'malformed', from: message.from, detail: 'append' });
      return;
    }
    const { prevEpoch, prevPosition } = message;
    const isBlind =
      config.mutant === 'no-prev-epoch-check' && comparePositions(prevPosition, log.end) <= 0;
    if (!isBlind && !log.hasEntryAt(prevEpoch, prevPosition)) {
      this.#answer(log.rejectionOf(prevEpoch, prevPosition));
      return;
    }
    log.accept(prevPosition, message.slices);
    this.#learnCommit(message.commit);
    this.#acknowledge();
  }

  onHeartbeat(message: Heartbeat): void {
    this.#noteLeader(message);
    this.#learnCommit(message.commit);
    this.#answer(null);
  }

  onChunk(message: SnapshotChunk): void {
    const { log } = this.#core;
    this.#noteLeader(message);
    const { position } = message;
    const lastEpoch = message.epochs.at(-1)?.epoch ?? EPOCH_NONE;
    if (log.hasEntryAt(lastEpoch, position)) {
      log.accept(position, []);
      this.#learnCommit(position);
      this.#acknowledge();
      return;
    }
    const assembly = this.#assemblyFor(message);
    if (assembly === null) return;
    if (assembly.receivedBytes < assembly.totalBytes) {
      const { receivedBytes } = assembly;
      const body = { round: this.#round, position, receivedBytes };
      this.#core.send(message.from, { type: 'snapshot-received', ...body });
      return;
    }
    this.#assembly = null;
    log.reset(position, message.epochs, concat(assembly));
    this.#acknowledge();
  }

  /** The disk has caught up: what was waiting for it is answered. */
  onSynced(): void {
    if (this.#isAckDue && this.leader !== null) this.#acknowledge();
  }

  /** An older leader spoke: it must learn that its time is over. */
  answerStale(from: VoterId): void {
    const forgetful = this.#core.forgetNonce;
    const nothing = { match: ORIGIN, received: ORIGIN, rejection: null };
    this.#core.send(from, { type: 'appended', round: 0, forgetful, ...nothing });
  }

  #noteLeader(message: Append | Heartbeat | SnapshotChunk): void {
    assert(message.term === this.#core.term, 'leaders of other terms are not followed');
    this.#round = Math.max(this.#round, message.round);
    if (message.type === 'snapshot') return;
    const nonce = this.#core.forgetNonce;
    if (nonce !== 0 && message.remembered === nonce) this.#core.remember();
  }

  #learnCommit(commit: Position): void {
    const { log, config } = this.#core;
    const isBlind = config.mutant === 'watermark-without-min';
    log.commitTo(minPosition(commit, isBlind ? log.end : log.matched));
  }

  /** At once when everything that matches is durable, else when the sync is done. */
  #acknowledge(): void {
    const { log } = this.#core;
    const isDurable = comparePositions(log.synced, log.matched) >= 0;
    this.#isAckDue = !isDurable && this.#core.config.mutant !== 'ack-before-sync';
    if (!this.#isAckDue) this.#answer(null);
  }

  #answer(rejection: Rejection | null): void {
    const { log, config, self, term } = this.#core;
    assert(this.leader !== null, 'only a leader is answered');
    const isEarly = config.mutant === 'ack-before-sync';
    const match = isEarly ? log.matched : minPosition(log.synced, log.matched);
    // Whole, and not a body for an envelope: this is said of every append.
    this.#core.post({
      type: 'appended',
      from: self,
      to: this.leader,
      term,
      round: this.#round,
      match,
      received: log.matched,
      forgetful: this.#core.forgetNonce,
      rejection,
    });
  }

  /** The transfer that this chunk continues or begins; null when the chunk is of no use. */
  #assemblyFor(chunk: SnapshotChunk): Assembly | null {
    const { position, totalBytes, chunkStart, bytes, term } = chunk;
    const end = chunkStart + bytes.length;
    const isSane =
      totalBytes <= this.#core.config.knobs.snapshotBytesMax &&
      end <= totalBytes &&
      epochsRise(chunk.epochs, position);
    if (!isSane) {
      this.#core.emit({ kind: 'malformed', from: chunk.from, detail: 'snapshot' });
      return null;
    }
    let assembly = this.#assembly;
    const isSame =
      assembly !== null &&
      assembly.term === term &&
      isSamePosition(assembly.position, position) &&
      assembly.totalBytes === totalBytes;
    if (assembly === null || !isSame) {
      assembly = { term, position, totalBytes, chunks: [], receivedBytes: 0 };
      this.#assembly = assembly;
    }
    if (chunkStart === assembly.receivedBytes && bytes.length > 0) {
      // The bytes lie in a receive buffer: keep a copy.
      assembly.chunks.push(new Uint8Array(bytes));
      assembly.receivedBytes = end;
    }
    return assembly;
  }
}

function concat(assembly: Assembly): Uint8Array {
  assert(assembly.receivedBytes === assembly.totalBytes, 'a snapshot is complete');
  const all = new Uint8Array(assembly.totalBytes);
  let at = 0;
  for (const chunk of assembly.chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Slices lie one behind the other, and an epoch changes only by its epoch-start mark. */
function isWellFormed(message: Append): boolean {
  let at = message.prevPosition;
  let epoch = message.prevEpoch;
  if (epoch > message.term) return false;
  for (const slice of message.slices) {
    if (!isSamePosition(sliceStart(slice), at)) return false;
    if (!isNextEpoch(slice, epoch, message.term)) return false;
    if (slice.kind === 'batches') {
      const { from, to } = slice;
      if (to.marks !== from.marks || to.offset <= from.offset) return false;
    }
    at = sliceEnd(slice);
    epoch = sliceEpoch(slice);
  }
  return true;
}

function isNextEpoch(slice: Slice, epoch: Term, term: Term): boolean {
  const next = sliceEpoch(slice);
  if (next > term) return false;
  const isStart = slice.kind === 'mark' && slice.mark.kind === 'epoch-start';
  return isStart ? next > epoch : next === epoch;
}

function epochsRise(epochs: readonly EpochEntry[], below: Position): boolean {
  let epoch = EPOCH_NONE;
  let last: Position | null = null;
  for (const entry of epochs) {
    if (entry.epoch <= epoch || comparePositions(entry.start, below) >= 0) return false;
    if (last !== null && comparePositions(last, entry.start) >= 0) return false;
    epoch = entry.epoch;
    last = entry.start;
  }
  return true;
}
