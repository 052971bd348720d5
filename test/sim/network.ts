/**
 * The wire between nodes, in two temperaments: `links` behaves like connections (order kept, a lost
 * connection is noticed, reconnects), `datagrams` loses, repeats and reorders on its own. Cuts are
 * per direction in both. Messages go through the production wire codec; all groups of two nodes
 * share one connection.
 */
import { Packr } from 'msgpackr';
import type { GroupKey, VoterId } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { decodeMessage, encodeMessage } from '#src/replication/raft-wire.js';
import { Violation, type World } from './world.js';

export type NetworkKnobs = {
  readonly kind: 'links' | 'datagrams';
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Datagrams only. */
  readonly loss: number;
  readonly repeat: number;
  /** Links only: what a node says to another one in a turn arrives as one, as a frame does. */
  readonly isFramed: boolean;
};

export type Delivery = {
  readonly group: GroupKey;
  readonly message: RaftMessage;
  readonly payload: Buffer;
};

type Frame = { readonly sentMs: number; readonly generation: number; readonly list: Delivery[] };

/** One end of the network. */
export type Station = {
  readonly nodeId: number;
  /** A wiped disk is another directory: messages to the old one are not for it. */
  readonly id: VoterId;
  /** New with every start: what was sent to an older life is lost. */
  readonly life: number;
  readonly isUp: boolean;
  /** All of them in one turn. */
  onMessages(list: readonly Delivery[]): void;
  /** A message of the control plane, packed. */
  onControl?(from: number, bytes: Buffer): void;
  onLink(nodeId: number, isUp: boolean): void;
};

type Link = { readonly generation: number; arrivalUp: number; arrivalDown: number };

const packr = new Packr({ useRecords: false });
const RECONNECT_MS = 120;
/** One message in so many is packed to bytes and back; all go through the flat form of the wire. */
const PACKED_EVERY = 64;
const NODES = 16;

/** Drawn apart: the rest of a plan stays what it was before there were frames. */
export function isFramed(seed: number): boolean {
  return new Prng(seed ^ 0xf4a3).chance(0.5);
}

export class Network {
  readonly #world: World;
  readonly #random: Prng;
  readonly #knobs: NetworkKnobs;
  readonly #stations: (Station | undefined)[] = [];
  /** Directions that lose everything. */
  readonly #cuts = new Set<number>();
  /** Standing connections. */
  readonly #links = new Map<number, Link>();
  /** The newest frame of each direction. */
  readonly #frames = new Map<number, Frame>();
  #generation = 0;
  #slowdown = 1;
  #isCalm = false;
  #sent = 0;

  constructor(world: World, random: Prng, knobs: NetworkKnobs) {
    this.#world = world;
    this.#random = random;
    this.#knobs = knobs;
  }

  join(station: Station): void {
    this.#stations[station.nodeId] = station;
    for (const other of this.#stations) {
      if (other !== undefined && other !== station) {
        this.#connectLater(station.nodeId, other.nodeId);
      }
    }
  }

  /** The process died: the kernel closes its connections, and the others notice. */
  leave(nodeId: number): void {
    for (const other of this.#stations) {
      if (other !== undefined && other.nodeId !== nodeId) this.#disconnect(nodeId, other.nodeId);
    }
  }

  cut(from: number, to: number): void {
    this.#cuts.add(from * NODES + to);
  }

  heal(): void {
    this.#cuts.clear();
    this.#slowdown = 1;
    for (const a of this.#stations) {
      for (const b of this.#stations) {
        if (a !== undefined && b !== undefined && a.nodeId < b.nodeId) {
          this.#connectLater(a.nodeId, b.nodeId);
        }
      }
    }
  }

  /** The time of faults is over: nothing is lost, repeated or overtaken any more. */
  calm(): void {
    this.#isCalm = true;
    this.heal();
  }

  /** Everything takes this many times as long. */
  slowDown(factor: number): void {
    this.#slowdown = factor;
  }

  /** False when the sender knows that it cannot be delivered. */
  send(group: GroupKey, message: RaftMessage, payload: Buffer): boolean {
    const from = message.from.nodeId;
    const to = message.to.nodeId;
    const station = this.#stations[to];
    if (station !== undefined && station.id.directoryId !== message.to.directoryId) {
      this.#world.branch('sent-to-lost-directory');
      return false;
    }
    const received = this.#throughWire(message);
    const delivery = { group, message: received, payload };
    if (this.#knobs.kind === 'links') return this.#sendByLink(from, to, delivery);
    const give = (to: Station): void => to.onMessages([delivery]);
    if (!this.#isCalm && this.#random.chance(this.#knobs.loss)) {
      this.#world.count('loss');
      return true;
    }
    const { nowMs } = this.#world;
    this.#deliverAt(nowMs + this.#delay(), from, to, give, -1);
    if (!this.#isCalm && this.#random.chance(this.#knobs.repeat)) {
      this.#world.count('repeat');
      this.#deliverAt(nowMs + this.#delay() * 4, from, to, give, -1);
    }
    return true;
  }

  #sendByLink(from: number, to: number, delivery: Delivery): boolean {
    const link = this.#links.get(linkOf(from, to));
    if (link === undefined) return false;
    const { nowMs } = this.#world;
    const { generation } = link;
    const direction = from * NODES + to;
    const open = this.#knobs.isFramed ? this.#frames.get(direction) : undefined;
    // A turn sends at its end, so at one time.
    if (open?.sentMs === nowMs && open.generation === generation) {
      open.list.push(delivery);
      return true;
    }
    const list = [delivery];
    this.#frames.set(direction, { sentMs: nowMs, generation, list });
    const give = (station: Station): void => station.onMessages(list);
    this.#deliverAt(this.#inOrder(link, from < to), from, to, give, generation);
    return true;
  }

  /** Between the main threads of two nodes, over connections only; false when there is none. */
  sendControl(from: number, to: number, bytes: Buffer): boolean {
    const link = this.#links.get(linkOf(from, to));
    if (link === undefined) return false;
    const give = (station: Station): void => station.onControl?.(from, bytes);
    this.#deliverAt(this.#inOrder(link, from < to), from, to, give, link.generation);
    return true;
  }

  #throughWire(message: RaftMessage): RaftMessage {
    const values = encodeMessage(message);
    const isPacked = this.#sent++ % PACKED_EVERY === 0;
    const read: unknown = isPacked ? packr.unpack(packr.pack(values)) : values;
    const decoded = decodeMessage(read, message.from, message.to);
    if (decoded === null) throw new Violation('wire', `cannot decode a ${message.type}`);
    return decoded;
  }

  /** Nothing overtakes what was sent before on the same connection. */
  #inOrder(link: Link, isUpwards: boolean): number {
    const atMs = this.#world.nowMs + this.#delay();
    if (isUpwards) {
      link.arrivalUp = Math.max(atMs, link.arrivalUp);
      return link.arrivalUp;
    }
    link.arrivalDown = Math.max(atMs, link.arrivalDown);
    return link.arrivalDown;
  }

  #deliverAt(
    atMs: number,
    from: number,
    to: number,
    give: (station: Station) => void,
    generation: number,
  ): void {
    const life = this.#stations[to]?.life;
    this.#world.at(atMs, () => {
      const station = this.#stations[to];
      if (station === undefined || !station.isUp) return;
      if (this.#cuts.size > 0 && this.#cuts.has(from * NODES + to)) {
        this.#world.count('cut-message');
        // A hole in a stream of bytes ends the connection.
        if (generation !== -1) this.#disconnect(from, to);
        return;
      }
      if (generation !== -1) {
        const link = this.#links.get(linkOf(from, to));
        if (link?.generation !== generation || station.life !== life) return;
      }
      give(station);
    });
  }

  #connectLater(a: number, b: number): void {
    if (this.#knobs.kind !== 'links') return;
    this.#world.after(this.#random.int(1, RECONNECT_MS), () => {
      if (this.#links.has(linkOf(a, b))) return;
      const [one, other] = [this.#stations[a], this.#stations[b]];
      if (one === undefined || other === undefined) return;
      if (!one.isUp || !other.isUp) return;
      if (this.#cuts.has(a * NODES + b) || this.#cuts.has(b * NODES + a)) {
        this.#connectLater(a, b);
        return;
      }
      const generation = ++this.#generation;
      this.#links.set(linkOf(a, b), { generation, arrivalUp: 0, arrivalDown: 0 });
      one.onLink(b, true);
      other.onLink(a, true);
    });
  }

  #disconnect(a: number, b: number): void {
    if (!this.#links.delete(linkOf(a, b))) return;
    this.#world.branch('link-down');
    this.#tellDown(a, b);
    this.#tellDown(b, a);
    this.#connectLater(a, b);
  }

  #tellDown(at: number, about: number): void {
    this.#world.after(this.#delay(), () => {
      const station = this.#stations[at];
      if (station?.isUp && !this.#links.has(linkOf(at, about))) station.onLink(about, false);
    });
  }

  #delay(): number {
    const { delayMsMin, delayMsMax } = this.#knobs;
    if (this.#isCalm) return delayMsMin;
    return (delayMsMin + this.#random.float() * (delayMsMax - delayMsMin)) * this.#slowdown;
  }
}

function linkOf(a: number, b: number): number {
  return a < b ? a * NODES + b : b * NODES + a;
}
