/**
 * A Raft member for scenarios: the production core on a log of plain values. What was written is
 * visible at once, what was synced survives a power cut; the scenario decides when a sync ends.
 */
import { assert } from '#src/base/assert.js';
import type { Mutant } from '#src/base/mutant.js';
import type { VoterId } from '#src/base/group.js';
import { type Mark, positionAfterMark } from '#src/base/mark.js';
import {
  comparePositions,
  type EpochEntry,
  isSamePosition,
  ORIGIN,
  type Position,
} from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import { type Append, type RaftMessage, type Slice, sliceEnd } from '#src/raft/messages.js';
import type { RaftKnobs, RaftMembers } from '#src/raft/raft-config.js';
import { RaftGroup } from '#src/raft/raft-group.js';
import type { HardState, LogWrite, Order, RaftEvent, Ready, SyncToken } from '#src/raft/ready.js';

export type Entry =
  | { readonly kind: 'mark'; readonly mark: Mark }
  | {
      readonly kind: 'batch';
      readonly from: Position;
      readonly to: Position;
      readonly epoch: number;
      readonly text: string;
    };

type Disk = {
  hardState: HardState | null;
  start: Position;
  /** Epochs below `start` (after a snapshot). */
  below: EpochEntry[];
  entries: Entry[];
  isForgetful: boolean;
  state: string;
};

export type NodeOptions = {
  readonly id: VoterId;
  readonly members: RaftMembers;
  readonly knobs: RaftKnobs;
  readonly seed: number;
  readonly mutant?: Mutant | undefined;
};

/** Batches of appends on their way; the network of a scenario carries values, not bytes. */
const payloads = new WeakMap<object, Entry[]>();

export class ScenarioNode {
  readonly options: NodeOptions;
  raft: RaftGroup;
  isUp = true;
  /** Syncs end as soon as they are asked for. */
  isAutoSync = true;
  written: Disk;
  durable: Disk;
  pendingSync: SyncToken | null = null;
  outbox: RaftMessage[] = [];
  events: RaftEvent[] = [];
  applied: Position = ORIGIN;
  #starts = 0;
  #received: Append | null = null;

  constructor(options: NodeOptions, entries: readonly Entry[] = [], hardState?: HardState) {
    this.options = options;
    const disk: Disk = {
      hardState: hardState ?? null,
      start: ORIGIN,
      below: [],
      entries: [...entries],
      isForgetful: false,
      state: '',
    };
    this.written = disk;
    this.durable = cloneDisk(disk);
    this.raft = this.#open();
  }

  get end(): Position {
    const last = this.written.entries.at(-1);
    return last === undefined ? this.written.start : entryEnd(last);
  }

  get epochs(): EpochEntry[] {
    const epochs = [...this.written.below];
    for (const entry of this.written.entries) {
      if (entry.kind !== 'mark' || entry.mark.kind !== 'epoch-start') continue;
      epochs.push({ epoch: entry.mark.epoch, start: entry.mark.at });
    }
    return epochs;
  }

  /** kill -9: what was written stays. */
  kill(): void {
    this.isUp = false;
    this.outbox = [];
    this.pendingSync = null;
  }

  /** Power cut: only what was synced stays. */
  cutPower(): void {
    this.kill();
    this.written = cloneDisk(this.durable);
  }

  restart(isForgetful: boolean): void {
    assert(!this.isUp, 'a running node is not started');
    this.isUp = true;
    if (isForgetful) {
      this.written.isForgetful = true;
      this.durable.isForgetful = true;
    }
    this.raft = this.#open();
    this.work();
  }

  propose(records: number, text: string): boolean {
    if (!this.raft.mayPropose) return false;
    this.work();
    const from = this.end;
    const to = { offset: from.offset + records, marks: from.marks };
    this.written.entries.push({ kind: 'batch', from, to, epoch: this.raft.term, text });
    this.raft.propose(records);
    this.work();
    return true;
  }

  receive(message: RaftMessage): void {
    this.#received = message.type === 'append' ? message : null;
    this.raft.step(message);
    this.work();
    this.#received = null;
  }

  endSync(): void {
    const token = this.pendingSync;
    if (token === null) return;
    this.pendingSync = null;
    this.durable = cloneDisk(this.written);
    this.raft.synced(token);
    this.work();
  }

  /** Drops the entries below a committed position, as retention does. */
  trimTo(position: Position): void {
    const { written } = this;
    written.below = this.epochs.filter((entry) => comparePositions(entry.start, position) < 0);
    written.entries = written.entries.filter(
      (entry) => comparePositions(entryStart(entry), position) >= 0,
    );
    written.start = position;
    this.durable = cloneDisk(written);
    this.raft.setLogStart(position);
  }

  work(): void {
    while (true) {
      const ready = this.raft.takeReady();
      if (ready !== null) {
        this.#workOff(ready);
        continue;
      }
      if (this.isAutoSync && this.pendingSync !== null) {
        this.endSync();
        continue;
      }
      const orders = this.raft.takeOrders();
      if (orders.length === 0) return;
      for (const order of orders) this.#send(order);
    }
  }

  #open(): RaftGroup {
    const { options, written } = this;
    this.applied = written.start;
    this.#starts++;
    return new RaftGroup({
      self: options.id,
      members: options.members,
      knobs: options.knobs,
      random: new Prng(options.seed * 1000 + this.#starts),
      hardState: written.hardState,
      log: { start: written.start, end: this.end, epochs: this.epochs },
      isForgetful: written.isForgetful,
      mutant: options.mutant,
    });
  }

  #workOff(ready: Ready): void {
    if (ready.hardState !== null) this.written.hardState = ready.hardState;
    for (const write of ready.writes) this.#write(write);
    if (ready.hasRemembered) this.written.isForgetful = false;
    if (ready.sync !== null) this.pendingSync = ready.sync;
    this.outbox.push(...ready.messages);
    if (ready.commit !== null) this.applied = ready.commit;
    this.events.push(...ready.events);
  }

  #write(write: LogWrite): void {
    const { written } = this;
    switch (write.kind) {
      case 'mark':
        assert(isSamePosition(write.mark.at, this.end), 'a mark lies at the end');
        written.entries.push({ kind: 'mark', mark: write.mark });
        return;
      case 'truncate':
        written.entries = written.entries.filter(
          (entry) => comparePositions(entryEnd(entry), write.to) <= 0,
        );
        assert(isSamePosition(this.end, write.to), 'a log is cut at an entry border');
        return;
      case 'reset':
        written.start = write.to;
        written.below = [...write.epochs];
        written.entries = [];
        written.state = Buffer.from(write.state).toString();
        this.applied = write.to;
        return;
      case 'batches': {
        assert(this.#received !== null, 'batches come with an append');
        for (const entry of payloads.get(this.#received) ?? []) {
          if (comparePositions(entryStart(entry), write.from) < 0) continue;
          if (comparePositions(entryEnd(entry), write.slice.to) > 0) continue;
          assert(isSamePosition(entryStart(entry), this.end), 'batches follow the log');
          written.entries.push(entry);
        }
      }
    }
  }

  #send(order: Order): void {
    const { raft } = this;
    if (order.kind === 'capture') {
      const start = this.written.start;
      raft.offerSnapshot(order.to, start, Buffer.byteLength(this.written.state));
      return;
    }
    if (order.kind === 'chunk') {
      const bytes = Buffer.from(this.written.state).subarray(order.start, order.end);
      this.outbox.push(raft.snapshotMessage(order.to, order.start, bytes));
      return;
    }
    const { slices, entries } = slicesOf(this.written.entries, order);
    const message = raft.appendMessage(order.to, slices);
    payloads.set(message, entries);
    this.outbox.push(message);
  }
}

/** One byte a batch record; batches of one epoch share a slice, as in the real log. */
function slicesOf(
  all: readonly Entry[],
  order: { from: Position; limit: Position; bytesMax: number },
): { slices: Slice[]; entries: Entry[] } {
  const slices: Slice[] = [];
  const entries: Entry[] = [];
  let bytes = 0;
  for (const entry of all) {
    if (comparePositions(entryStart(entry), order.from) < 0) continue;
    if (comparePositions(entryEnd(entry), order.limit) > 0) break;
    if (entry.kind === 'mark') {
      slices.push(entry);
      continue;
    }
    const size = entry.to.offset - entry.from.offset;
    if (bytes > 0 && bytes + size > order.bytesMax) break;
    bytes += size;
    entries.push(entry);
    const last = slices.at(-1);
    const isMore =
      last?.kind === 'batches' &&
      last.epoch === entry.epoch &&
      isSamePosition(sliceEnd(last), entry.from);
    if (isMore) {
      slices[slices.length - 1] = { ...last, to: entry.to, byteLength: last.byteLength + size };
    } else {
      const { from, to, epoch } = entry;
      slices.push({ kind: 'batches', from, to, epoch, byteLength: size });
    }
  }
  return { slices, entries };
}

function entryStart(entry: Entry): Position {
  return entry.kind === 'mark' ? entry.mark.at : entry.from;
}

export function entryEnd(entry: Entry): Position {
  return entry.kind === 'mark' ? positionAfterMark(entry.mark) : entry.to;
}

function cloneDisk(disk: Disk): Disk {
  return { ...disk, entries: [...disk.entries], below: [...disk.below] };
}
