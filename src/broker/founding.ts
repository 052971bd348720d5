/**
 * Who the first voters of the metadata group are. cluster.yml names node ids; a voter is a node and
 * its log directory, and directory ids are drawn when a directory is first used. So on its first
 * start every node tells the others its directory id, and when it has heard all of them it writes
 * the list down, once and for ever:
 *
 *     quorum-voters      1 <directory id>
 *                        2 <directory id>
 *                        3 <directory id>
 *
 * A node whose disk was wiped is told the list by the others, does not find its new directory in it
 * and knows that it is a stranger: it neither votes nor counts. Main thread.
 */
import { assert } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import type { DirectoryId, NodeId } from '../base/units.js';
import { readWhole, writeAtomically } from '../base/small-file.js';
import { isUuidText } from '../base/uuid.js';
import type { Disk } from '../log/disk.js';

/** Said to a peer when a link to it comes up, and again when the list is known. */
export type FoundingMessage = {
  readonly kind: 'founding';
  /** Directory of the sender. */
  readonly directoryId: DirectoryId;
  /** The list the sender wrote down; null while it has none. */
  readonly voters: readonly VoterId[] | null;
};

/** Ids that could not be read back from the file are no ids. */
export function isFoundingMessage(value: unknown): value is FoundingMessage {
  const { kind, directoryId, voters } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (kind !== 'founding' || !isUuidText(directoryId)) return false;
  return voters === null || (Array.isArray(voters) && voters.length > 0 && voters.every(isVoter));
}

function isVoter(value: unknown): value is VoterId {
  const { nodeId, directoryId } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return Number.isSafeInteger(nodeId) && (nodeId as number) >= 0 && isUuidText(directoryId);
}

export type FoundingState = 'gathering' | 'founded' | 'stranger';

export type FoundingOptions = {
  readonly self: VoterId;
  /** Node ids of the first voters, ascending. */
  readonly voterIds: readonly NodeId[];
  readonly disk: Disk;
  readonly directory: string;
  readonly send: (to: NodeId, message: FoundingMessage) => void;
  /** Called once, when this node knows whether it belongs. */
  readonly onDecided: (state: 'founded' | 'stranger') => void;
};

const FILE = 'quorum-voters';

export class Founding {
  readonly #options: FoundingOptions;
  readonly #heard = new Map<NodeId, DirectoryId>();
  /** Peers of another cluster; kept until one of this cluster has been met. */
  readonly #strange = new Set<NodeId>();
  #isAmongFriends = false;
  #voters: readonly VoterId[] | null;
  #state: FoundingState = 'gathering';

  constructor(options: FoundingOptions) {
    this.#options = options;
    this.#voters = readVoters(options);
  }

  get state(): FoundingState {
    return this.#state;
  }

  /** The first voters; only asked for once founded. */
  get voters(): readonly VoterId[] {
    assert(this.#voters !== null, 'the voters are known once founded');
    return this.#voters;
  }

  /** @throws LograftError DIRECTORY_FOREIGN when the list on disk is not of this cluster's nodes */
  start(): void {
    this.#heard.set(this.#options.self.nodeId, this.#options.self.directoryId);
    if (this.#voters === null) {
      this.#maybeFound();
      return;
    }
    this.#checkVoters(this.#voters);
    this.#decide(this.#voters);
  }

  onLinkUp(nodeId: NodeId): void {
    this.#isAmongFriends = true;
    this.#say(nodeId);
  }

  /**
   * This node and a peer have different cluster ids, and either may be the one that is wrong. When
   * a majority disagrees with a node that nobody has agreed with, it is this one.
   * @throws LograftError DIRECTORY_FOREIGN
   */
  onOtherCluster(nodeId: NodeId): void {
    const { voterIds, directory } = this.#options;
    this.#strange.add(nodeId);
    if (this.#isAmongFriends || this.#strange.size * 2 <= voterIds.length) return;
    throw new LograftError(
      'DIRECTORY_FOREIGN',
      `${directory} belongs to another cluster than nodes ${[...this.#strange].sort().join(', ')}`,
      'give this node its own data directory, or correct the addresses in cluster.yml',
    );
  }

  onMessage(from: NodeId, message: FoundingMessage): void {
    if (this.#state !== 'gathering') return;
    if (message.voters !== null) {
      // The others have founded: either with this very directory, or before this disk was wiped.
      this.#decide(message.voters);
      return;
    }
    this.#heard.set(from, message.directoryId);
    this.#maybeFound();
  }

  #maybeFound(): void {
    const { voterIds } = this.#options;
    const voters: VoterId[] = [];
    for (const nodeId of voterIds) {
      const directoryId = this.#heard.get(nodeId);
      if (directoryId === undefined) return;
      voters.push({ nodeId, directoryId });
    }
    this.#decide(voters);
  }

  #decide(voters: readonly VoterId[]): void {
    const { self, voterIds, onDecided } = this.#options;
    const own = voters.find(({ nodeId }) => nodeId === self.nodeId);
    const isExpected = own !== undefined || !voterIds.includes(self.nodeId);
    if (!isExpected || (own !== undefined && own.directoryId !== self.directoryId)) {
      this.#state = 'stranger';
    } else {
      if (this.#voters === null) this.#write(voters);
      this.#voters = voters;
      this.#state = 'founded';
      for (const nodeId of voterIds) if (nodeId !== self.nodeId) this.#say(nodeId);
    }
    onDecided(this.#state);
  }

  #say(nodeId: NodeId): void {
    const { self, send } = this.#options;
    send(nodeId, { kind: 'founding', directoryId: self.directoryId, voters: this.#voters });
  }

  #checkVoters(voters: readonly VoterId[]): void {
    const { voterIds, directory } = this.#options;
    const listed = voters.map(({ nodeId }) => nodeId).join(', ');
    const isSame =
      voters.length === voterIds.length && voters.every(({ nodeId }) => voterIds.includes(nodeId));
    if (isSame) return;
    throw new LograftError(
      'DIRECTORY_FOREIGN',
      `${directory} belongs to a cluster of the nodes ${listed}, not of ${voterIds.join(', ')}`,
      'give this node its own data directory, or the cluster its former nodes',
    );
  }

  #write(voters: readonly VoterId[]): void {
    const { disk, directory } = this.#options;
    const text = voters.map(({ nodeId, directoryId }) => `${nodeId} ${directoryId}\n`).join('');
    writeAtomically(disk, directory, FILE, Buffer.from(text));
  }
}

function readVoters({ disk, directory }: FoundingOptions): readonly VoterId[] | null {
  const path = `${directory}/${FILE}`;
  if (!disk.exists(path)) return null;
  const lines = readWhole(disk, path)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const [, nodeId, directoryId] = /^(\d+) (\S+)$/.exec(line) ?? [];
    if (!isUuidText(directoryId)) {
      throw new LograftError(
        'CORRUPT',
        `${path} has a line that names no voter: ${line}`,
        'copy the file from another node of the same cluster',
      );
    }
    return { nodeId: Number(nodeId), directoryId };
  });
}
