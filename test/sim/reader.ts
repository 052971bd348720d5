/**
 * Those who ask: a consumer with assign() that goes on where it stopped, readers that look
 * anywhere, and ListOffsets. Each knows the newest leader epoch it has heard of, never a lower
 * one.
 */
import { ORIGIN } from '#src/base/position.js';
import type { Partition } from '#src/partition/partition.js';
import type { Seen } from './history.js';
import { readRanges } from './node-parts.js';
import type { SimGroup, SimNode } from './sim-node.js';
import type { World } from './world.js';

export class SimReader {
  readonly #group: SimGroup;
  readonly #world: World;
  readonly #seen: Seen = { highWatermark: 0, logStartOffset: 0 };
  #epoch = -1;
  #position = ORIGIN.offset;

  constructor(group: SimGroup, world: World) {
    this.#group = group;
    this.#world = world;
  }

  /** ListOffsets(latest), and by a timestamp, at a node that seems to lead. */
  ask(node: SimNode, at: number | undefined): void {
    const { index, history } = this.#group;
    node.turn(() => {
      const partition = node.partition(index);
      if (partition === null) return;
      const asked = history.ask();
      partition.offsetFor({ kind: 'latest' }, this.#epochAt(node), ({ error, offset }) => {
        node.tell(() => {
          this.#world.branch(`latest-${error ?? 'answered'}`);
          if (error === null) history.onLatest(node.nodeId, asked, offset);
        });
      });
      if (at !== undefined) this.#askByTime(node, partition, at);
    });
  }

  #askByTime(node: SimNode, partition: Partition, at: number): void {
    const { checker, history } = this.#group;
    const { highWatermark } = partition.replica;
    const { logStartOffset } = partition.log;
    const sample = checker.batchOf(logStartOffset + at * (highWatermark - logStartOffset));
    if (sample === undefined) return;
    const timestampMs = sample.sent.timestamp;
    const question = { kind: 'timestamp', timestampMs } as const;
    partition.offsetFor(question, this.#epochAt(node), ({ error, offset }) => {
      node.tell(() => {
        this.#world.branch(`timestamp-${error ?? 'answered'}`);
        if (error !== null || node.mayBeRotten(this.#group.index)) return;
        history.onTimestamp(node.nodeId, timestampMs, logStartOffset, highWatermark, offset);
      });
    });
  }

  /** One fetch from the consumer's position, or from a part of what it knows to be there. */
  fetch(node: SimNode, maxBytes: number, at: number | undefined): void {
    const { logStartOffset, highWatermark } = this.#seen;
    const anywhere = logStartOffset + Math.floor((at ?? 0) * (highWatermark - logStartOffset));
    const offset = at === undefined ? this.#position : anywhere;
    node.turn(() => this.#fetch(node, maxBytes, offset, at === undefined));
  }

  #fetch(node: SimNode, maxBytes: number, offset: number, isConsumer: boolean): void {
    const { index, history } = this.#group;
    const partition = node.partition(index);
    if (partition === null) return;
    const asked = history.ask();
    const epoch = this.#epochAt(node);
    const request = { offset, maxBytes, isFirst: true, currentLeaderEpoch: epoch };
    const outcome = partition.fetchNow(request);
    this.#world.branch(`fetch-${outcome.error ?? 'answered'}`);
    const { error, highWatermark, logStartOffset, data } = outcome;
    let bytes: Buffer | null = null;
    if (data?.kind === 'range') bytes = readRanges(node.disk, [data.range], this.#world);
    node.tell(() => {
      if (error === 'OFFSET_OUT_OF_RANGE') {
        history.onOutOfRange(node.nodeId, offset);
        if (isConsumer) this.#position = logStartOffset;
      }
      if (error !== null) return;
      history.onWatermarks(asked, epoch, this.#seen, highWatermark, logStartOffset);
      if (bytes === null) return;
      const from = this.#group.checker.batchOf(offset)?.baseOffset ?? offset;
      const next = history.onRead(node.nodeId, from, bytes, node.mayBeRotten(index));
      if (next > from) this.#world.branch('records-read');
      if (isConsumer) this.#position = next;
    });
  }

  #epochAt(node: SimNode): number {
    const epoch = node.partition(this.#group.index)?.replica.leaderEpoch ?? -1;
    if (node.isLeading(this.#group.index)) this.#epoch = Math.max(this.#epoch, epoch);
    return this.#epoch;
  }
}
