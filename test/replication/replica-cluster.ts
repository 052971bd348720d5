/** Replicas on disks in memory, joined by queues that the test empties by hand. */
import { Prng } from '#src/base/prng.js';
import { crc32c } from '#src/native/crc32c.js';
import { DEFAULT_LOG_CONFIG } from '#src/log/log-config.js';
import { PartitionLog } from '#src/log/partition-log.js';
import { Wal } from '#src/log/wal.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { DEFAULT_RAFT_KNOBS } from '#src/raft/raft-config.js';
import { encodeBatch } from '#src/records/batch.js';
import { Replica, type StateSnapshots } from '#src/replication/replica.js';
import { MemoryDisk } from '../log/memory-disk.js';

type Waiting = { readonly message: RaftMessage; readonly payload: Buffer };

export const GROUP = { topicId: 'dG9waWN0b3BpY3RvcGljdA', partition: 0 };

export type Member = {
  readonly nodeId: number;
  readonly disk: MemoryDisk;
  readonly wal: Wal;
  readonly log: PartitionLog;
  readonly replica: Replica;
  /** What its owner was told, in order. */
  readonly told: string[];
};

export type ClusterOptions = {
  readonly durability?: 'synced' | 'cached';
  readonly snapshots?: (nodeId: number) => StateSnapshots;
};

export class ReplicaCluster {
  readonly members: Member[];
  readonly lost = new Set<number>();
  /** Changes a message's payload on its way. */
  tamper: (message: RaftMessage, payload: Buffer) => void = () => undefined;
  /** Before the turn in which a member received something ends. */
  onReceived: (member: Member) => void = () => undefined;
  nowMs = 0;
  #waiting: Waiting[] = [];

  constructor(size: number, options: ClusterOptions = {}) {
    const ids = Array.from({ length: size }, (_, i) => i + 1);
    const voters = ids.map((nodeId) => ({ nodeId, directoryId: `d${nodeId}` }));
    this.members = voters.map((self): Member => {
      const { nodeId } = self;
      const disk = new MemoryDisk();
      const durability = options.durability ?? 'synced';
      const clock = { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs };
      const wal = Wal.open({ disk, directory: '/wal', fileBytes: 65_536 });
      const log = PartitionLog.open({
        disk,
        directory: '/log-0',
        ...GROUP,
        config: { ...DEFAULT_LOG_CONFIG, durability },
        wal,
        clock,
        isCleanStop: false,
        isPageCacheLost: false,
      });
      const told: string[] = [];
      const replica = new Replica({
        group: GROUP,
        self,
        voters,
        log,
        wal,
        transport: {
          send: (_to, _group, message, ranges) => {
            const parts = ranges.map((r) => disk.readFd(r.fd, r.filePosition, r.length));
            this.#waiting.push({ message, payload: Buffer.concat(parts) });
            return true;
          },
        },
        clock,
        random: new Prng(nodeId),
        knobs: { raft: DEFAULT_RAFT_KNOBS, tickMs: 50, replicaLagMsMax: 500 },
        durability: () => durability,
        snapshots: options.snapshots?.(nodeId),
        events: {
          onRole: () => told.push('role'),
          onCommitted: (highWatermark) => told.push(`committed ${highWatermark}`),
          onAppended: (_bytes, _start, _length, baseOffset) => told.push(`appended ${baseOffset}`),
          onTruncated: (to) => told.push(`truncated ${to}`),
          onReset: () => told.push('reset'),
          onMarkCommitted: (mark) => told.push(`mark ${mark.kind}`),
          onFailed: (error) => told.push(`failed ${(error as { code?: string }).code}`),
          onDirty: () => undefined,
          onEvent: (event) => told.push(event.kind),
        },
      });
      return { nodeId, disk, wal, log, replica, told };
    });
  }

  member(nodeId: number): Member {
    const member = this.members[nodeId - 1];
    if (member === undefined) throw new Error(`no member ${nodeId}`);
    return member;
  }

  get leader(): Member {
    const leader = this.members.find(
      (m) => m.replica.role === 'leader' && !this.lost.has(m.nodeId),
    );
    if (leader === undefined) throw new Error('nobody leads');
    return leader;
  }

  /** Turns, deliveries and (unless asked not to) syncs, until nothing is left to do. */
  run(isSyncing = true): void {
    for (let i = 0; i < 10_000; i++) {
      let isQuiet = true;
      for (const member of this.members) {
        if (member.replica.isDirty) {
          member.replica.drain();
          isQuiet = false;
        }
        if (isSyncing && member.disk.pendingSyncs > 0) {
          member.disk.drain();
          isQuiet = false;
        }
      }
      const next = this.#waiting.shift();
      if (next !== undefined) {
        isQuiet = false;
        this.#deliver(next);
      }
      if (isQuiet) return;
    }
    throw new Error('it never ends');
  }

  tick(times: number, isSyncing = true): void {
    for (let i = 0; i < times; i++) {
      this.nowMs += 50;
      for (const member of this.members) {
        if (!this.lost.has(member.nodeId)) member.replica.tick();
      }
      this.run(isSyncing);
    }
  }

  elect(): Member {
    for (let i = 0; i < 200 && !this.members.some((m) => m.replica.isServing); i++) this.tick(1);
    return this.leader;
  }

  #deliver({ message, payload }: Waiting): void {
    const { from, to } = message;
    if (this.lost.has(from.nodeId) || this.lost.has(to.nodeId)) return;
    this.tamper(message, payload);
    // As in a receive buffer: the payload begins somewhere.
    const bytes = Buffer.concat([Buffer.alloc(7), payload]);
    const member = this.member(to.nodeId);
    member.replica.receive(message, bytes, 7);
    bytes.fill(0xee);
    this.onReceived(member);
  }
}

export function batch(text: string, records = 1): Buffer {
  const input = { key: null, value: Buffer.from(text), timestamp: 0 };
  return encodeBatch({ records: Array.from({ length: records }, () => input) }, crc32c);
}

export function append(member: Member, text: string, records = 1): number {
  const bytes = batch(text, records);
  return member.replica.append(bytes, 0, bytes.length);
}
