/**
 * Works off a leader's orders: reads slices from the log for followers, captures snapshots and cuts
 * them into chunks. What a link does not take is reported back and read again later; no bytes wait
 * here but a captured snapshot. Shard thread.
 */
import { assert } from '../base/assert.js';
import type { GroupKey } from '../base/group.js';
import type { Position } from '../base/position.js';
import type { NodeId } from '../base/units.js';
import type { LogRange, LogSlice } from '../log/log-types.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { Slice } from '../raft/messages.js';
import type { RaftGroup } from '../raft/raft-group.js';
import type { Order } from '../raft/ready.js';
import { DamagedLogError } from '../log/storage-error.js';
import { isDiskFull } from './storage-errors.js';
import type { PeerTransport, ReplicaEvents, StateSnapshots } from './replica-ports.js';

export type SenderOptions = {
  readonly group: GroupKey;
  readonly log: PartitionLog;
  readonly transport: PeerTransport;
  readonly snapshots?: StateSnapshots | undefined;
  readonly events: Pick<ReplicaEvents, 'onDamaged'>;
};

type Captured = { readonly position: Position; readonly bytes: Uint8Array };

const NOTHING = new Uint8Array(0);

export class OrderSender {
  readonly #raft: RaftGroup;
  readonly #options: SenderOptions;
  readonly #captured = new Map<NodeId, Captured>();

  constructor(raft: RaftGroup, options: SenderOptions) {
    this.#raft = raft;
    this.#options = options;
  }

  /** Until there is no order left: windows are full, links refuse, or everything is sent. */
  sendAll(): void {
    while (true) {
      const orders = this.#raft.takeOrders();
      if (orders.length === 0) return;
      for (const order of orders) this.#workOff(order);
    }
  }

  #workOff(order: Order): void {
    switch (order.kind) {
      case 'append':
        this.#captured.delete(order.to.nodeId);
        return this.#sendAppend(order);
      case 'capture':
        return this.#capture(order);
      case 'chunk':
        return this.#sendChunk(order);
    }
  }

  #sendAppend(order: Order & { kind: 'append' }): void {
    const { transport, group } = this.#options;
    const read = this.#read(order);
    if (read === null) {
      this.#raft.sendRefused(order.to);
      return;
    }
    const ranges: LogRange[] = [];
    const slices = read.map((slice) => describe(slice, ranges));
    const isNews = order.from.offset < order.limit.offset || order.from.marks < order.limit.marks;
    assert(!isNews || slices.length > 0, 'the log has what the core believes it has', { order });
    const message = this.#raft.appendMessage(order.to, slices);
    const isSent = transport.send(order.to.nodeId, group, message, ranges);
    if (!isSent) this.#raft.sendRefused(order.to);
  }

  /**
   * Null while the disk is so full that the log cannot even tidy up for a read, and where the log
   * is damaged, which the owner is told.
   */
  #read(order: Order & { kind: 'append' }): LogSlice[] | null {
    const { log, events } = this.#options;
    try {
      return log.slicesBetween(order.from, order.limit, order.bytesMax);
    } catch (error) {
      if (isDiskFull(error)) return null;
      if (!(error instanceof DamagedLogError) || events.onDamaged === undefined) throw error;
      events.onDamaged(error.offset);
      return null;
    }
  }

  #capture(order: Order & { kind: 'capture' }): void {
    const { snapshots, log } = this.#options;
    const captured = snapshots?.capture() ?? { position: log.logStart, bytes: NOTHING };
    this.#captured.set(order.to.nodeId, captured);
    this.#raft.offerSnapshot(order.to, captured.position, captured.bytes.length);
  }

  #sendChunk(order: Order & { kind: 'chunk' }): void {
    const captured = this.#captured.get(order.to.nodeId);
    assert(captured !== undefined, 'chunks are of a captured snapshot', { to: order.to.nodeId });
    const bytes = captured.bytes.subarray(order.start, order.end);
    const message = this.#raft.snapshotMessage(order.to, order.start, bytes);
    const { transport, group } = this.#options;
    if (!transport.send(order.to.nodeId, group, message, [])) this.#raft.sendRefused(order.to);
  }
}

/** The words for a slice; its bytes go to `ranges`. */
function describe(slice: LogSlice, ranges: LogRange[]): Slice {
  if (slice.kind === 'mark') return slice;
  ranges.push(slice.range);
  const { from, to, epoch, range } = slice;
  return { kind: 'batches', from, to, epoch, byteLength: range.length };
}
