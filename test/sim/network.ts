/**
 * The simulated network. Two characters: `links` behaves as TCP between brokers (ordered, a closed
 * connection is noticed, reconnects), `datagrams` loses, repeats and reorders on its own. Cuts are
 * per direction in both. Messages go through the production wire codec.
 */
import { Packr } from 'msgpackr';
import type { VoterId } from '#src/base/group.js';
import type { Prng } from '#src/base/prng.js';
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
};

/** One end of the network. */
export type Station = {
  readonly id: VoterId;
  /** New with every start: what was sent to an older life is lost. */
  readonly life: number;
  readonly isUp: boolean;
  onMessage(message: RaftMessage, payload: Buffer): void;
  onLinkUp(nodeId: number): void;
  onLinkDown(nodeId: number): void;
};

const packr = new Packr({ useRecords: false });
const RECONNECT_MS = 120;

export class Network {
  readonly #world: World;
  readonly #random: Prng;
  readonly #knobs: NetworkKnobs;
  readonly #stations = new Map<number, Station>();
  /** `a>b` that loses everything. */
  readonly #cuts = new Set<string>();
  /** `a-b` with a < b: a standing connection, and when its last message each way arrives. */
  readonly #links = new Map<string, { generation: number; arrivals: Map<string, number> }>();
  #generation = 0;
  #slowdown = 1;
  #isCalm = false;

  constructor(world: World, random: Prng, knobs: NetworkKnobs) {
    this.#world = world;
    this.#random = random;
    this.#knobs = knobs;
  }

  join(station: Station): void {
    this.#stations.set(station.id.nodeId, station);
    for (const other of this.#stations.keys()) {
      if (other !== station.id.nodeId) this.#connectLater(station.id.nodeId, other);
    }
  }

  /** The process died: the kernel closes its connections, and the others notice. */
  leave(nodeId: number): void {
    for (const other of this.#stations.keys()) {
      if (other !== nodeId) this.#disconnect(nodeId, other, true);
    }
  }

  cut(from: number, to: number): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
    this.#slowdown = 1;
    for (const a of this.#stations.keys()) {
      for (const b of this.#stations.keys()) if (a < b) this.#connectLater(a, b);
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
  send(message: RaftMessage, payload: Buffer): boolean {
    const from = message.from.nodeId;
    const to = message.to.nodeId;
    const bytes = packr.pack(encodeMessage(message));
    if (this.#knobs.kind === 'links') return this.#sendOnLink(from, to, message, bytes, payload);
    if (!this.#isCalm && this.#random.chance(this.#knobs.loss)) {
      this.#world.fault('loss');
      return true;
    }
    this.#deliverLater(from, to, this.#delay(), message, bytes, payload, null);
    if (!this.#isCalm && this.#random.chance(this.#knobs.repeat)) {
      this.#world.fault('repeat');
      this.#deliverLater(from, to, this.#delay() * 4, message, bytes, payload, null);
    }
    return true;
  }

  #sendOnLink(
    from: number,
    to: number,
    message: RaftMessage,
    bytes: Buffer,
    payload: Buffer,
  ): boolean {
    const link = this.#links.get(linkOf(from, to));
    if (link === undefined) return false;
    const direction = `${from}>${to}`;
    // Ordered: nothing overtakes what was sent before.
    const arrival = this.#world.nowMs + this.#delay();
    const atMs = Math.max(arrival, link.arrivals.get(direction) ?? 0);
    link.arrivals.set(direction, atMs);
    const delay = atMs - this.#world.nowMs;
    this.#deliverLater(from, to, delay, message, bytes, payload, link.generation);
    return true;
  }

  #deliverLater(
    from: number,
    to: number,
    delayMs: number,
    message: RaftMessage,
    bytes: Buffer,
    payload: Buffer,
    generation: number | null,
  ): void {
    const life = this.#stations.get(to)?.life;
    this.#world.after(delayMs, () => {
      const station = this.#stations.get(to);
      if (station === undefined || !station.isUp) return;
      if (this.#cuts.has(`${from}>${to}`)) {
        this.#world.fault('cut-message');
        // A hole in a stream of bytes ends the connection.
        if (generation !== null) this.#disconnect(from, to, true);
        return;
      }
      const link = this.#links.get(linkOf(from, to));
      if (generation !== null && (link?.generation !== generation || station.life !== life)) return;
      const decoded = decodeMessage(packr.unpack(bytes), message.from, message.to);
      if (decoded === null) throw new Violation('wire', `cannot decode a ${message.type}`);
      station.onMessage(decoded, payload);
    });
  }

  #connectLater(a: number, b: number): void {
    if (this.#knobs.kind !== 'links') return;
    this.#world.after(this.#random.int(1, RECONNECT_MS), () => {
      if (this.#links.has(linkOf(a, b))) return;
      const [one, other] = [this.#stations.get(a), this.#stations.get(b)];
      if (one === undefined || other === undefined) return;
      if (!one.isUp || !other.isUp) return;
      if (this.#cuts.has(`${a}>${b}`) || this.#cuts.has(`${b}>${a}`)) {
        this.#connectLater(a, b);
        return;
      }
      this.#links.set(linkOf(a, b), { generation: ++this.#generation, arrivals: new Map() });
      one.onLinkUp(b);
      other.onLinkUp(a);
    });
  }

  #disconnect(a: number, b: number, isAgain: boolean): void {
    if (!this.#links.delete(linkOf(a, b))) return;
    this.#world.branch('link-down');
    for (const [at, about] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#world.after(this.#delay(), () => {
        const station = this.#stations.get(at);
        if (station?.isUp && !this.#links.has(linkOf(a, b))) station.onLinkDown(about);
      });
    }
    if (isAgain) this.#connectLater(a, b);
  }

  #delay(): number {
    const { delayMsMin, delayMsMax } = this.#knobs;
    if (this.#isCalm) return delayMsMin;
    return (delayMsMin + this.#random.float() * (delayMsMax - delayMsMin)) * this.#slowdown;
  }
}

function linkOf(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
