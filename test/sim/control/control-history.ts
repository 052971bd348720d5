/**
 * The one history of committed metadata, as the first node that applied each record told it, and
 * what every other word is held against: images, snapshots, answers, leaders. Knows every image
 * there ever was, by its offset.
 */
import { type GroupKey, groupText } from '#src/base/group.js';
import type { ImageDelta } from '#src/control/delta.js';
import { applyRecord, type ClusterImage, EMPTY_IMAGE } from '#src/control/image.js';
import { encodeImage } from '#src/control/image-codec.js';
import type { ControlOp } from '#src/control/operations.js';
import { encodeRecord, type MetadataRecord } from '#src/control/records.js';
import { Violation, type World } from '../world.js';

/** What was committed and acknowledged when a client asked. */
export type Moment = { readonly length: number; readonly ackedOffset: number };

/** One image in so many is compared as a whole, besides each record of it. */
const COMPARED_EVERY = 16;

export type ControlHistoryOptions = {
  readonly world: World;
  readonly isAnyDown: () => boolean;
  /** Whether a client may still be waiting for this, or has never heard what became of it. */
  readonly isAskedFor: (kind: ControlOp['kind'], name: string) => boolean;
};

export class ControlHistory {
  readonly #o: ControlHistoryOptions;
  readonly #world: World;
  readonly #records: MetadataRecord[] = [];
  readonly #bytes: Buffer[] = [];
  /** By offset: after all records below it. */
  readonly #images: ClusterImage[] = [EMPTY_IMAGE];
  readonly #topicIds = new Set<string>();
  readonly #deletedIds = new Set<string>();
  readonly #controllers = new Map<number, number>();
  /** By partition and epoch. */
  readonly #served = new Map<string, number>();
  readonly #founders = new Set<number>();
  readonly #names = new Set<string>();
  #ackedOffset = 0;

  constructor(options: ControlHistoryOptions) {
    this.#o = options;
    this.#world = options.world;
  }

  get length(): number {
    return this.#records.length;
  }

  get image(): ClusterImage {
    return this.#images[this.length] as ClusterImage;
  }

  imageAt(offset: number): ClusterImage {
    return this.#images[offset] as ClusterImage;
  }

  /** Committed records in [from, end). */
  between(from: number, end: number): readonly MetadataRecord[] {
    return this.#records.slice(from, end);
  }

  onFounded(nodeId: number): void {
    this.#founders.add(nodeId);
  }

  /** So many nodes have written down who the first voters are. */
  isFounded(nodes: number): boolean {
    return this.#founders.size === nodes;
  }

  isDeleted(topicId: string): boolean {
    return this.#deletedIds.has(topicId);
  }

  now(): Moment {
    return { length: this.length, ackedOffset: this.#ackedOffset };
  }

  /** A client heard an answer that rests on everything below `offset`. */
  onAnswered(offset: number): void {
    this.#ackedOffset = Math.max(this.#ackedOffset, offset);
  }

  /** M1: what a node calls the image is a prefix of the one history. */
  onImage(nodeId: number, image: ClusterImage, delta: ImageDelta): void {
    if (delta.kind === 'full') {
      this.#world.branch('snapshot-installed');
      return this.checkImage(nodeId, image);
    }
    for (const [i, record] of delta.records.entries())
      this.#onRecord(nodeId, delta.from + i, record);
    if (image.appliedOffset !== delta.to) {
      throw new Violation('M1', `node ${nodeId} is at ${image.appliedOffset}, not at ${delta.to}`);
    }
    if (delta.to % COMPARED_EVERY === 0) this.checkImage(nodeId, image);
  }

  checkImage(nodeId: number, image: ClusterImage): void {
    const { appliedOffset } = image;
    if (appliedOffset > this.length) {
      throw new Violation('M1', `node ${nodeId} is at ${appliedOffset} of ${this.length}`);
    }
    const expected = this.imageAt(appliedOffset);
    if (image === expected || encodeImage(image).equals(encodeImage(expected))) return;
    throw new Violation('M1', `node ${nodeId} has another image at ${appliedOffset}`);
  }

  #onRecord(nodeId: number, offset: number, record: MetadataRecord): void {
    const bytes = encodeRecord(record);
    const known = this.#bytes[offset];
    if (known !== undefined) {
      if (known.equals(bytes)) return;
      throw new Violation(
        'M1',
        `node ${nodeId} applies ${record.kind} at ${offset}, others ${this.#records[offset]?.kind}`,
      );
    }
    if (offset !== this.length) {
      throw new Violation('M1', `node ${nodeId} applies ${offset}, known are ${this.length}`);
    }
    this.#judge(record, offset);
    this.#images.push(applyRecord(this.image, record));
    this.#records.push(record);
    this.#bytes.push(bytes);
    this.#world.note(`commit ${offset} ${record.kind}`);
  }

  #judge(record: MetadataRecord, offset: number): void {
    switch (record.kind) {
      case 'create-topic':
        if (this.#topicIds.has(record.topicId)) {
          throw new Violation('M2', `topic id ${record.topicId} is given again at ${offset}`);
        }
        this.#topicIds.add(record.topicId);
        this.#mustBeAskedFor('createTopics', record.name, offset);
        if (this.#names.has(record.name)) {
          this.#world.branch(this.#o.isAnyDown() ? 'made-again-while-down' : 'made-again');
        }
        this.#names.add(record.name);
        return;
      case 'add-partitions': {
        this.#mustBeAskedFor('createPartitions', this.#nameOf(record.topicId), offset);
        const count = this.image.topicsById.get(record.topicId)?.partitions.length;
        if (count === record.firstPartition) return;
        throw new Violation('M2', `partitions from ${record.firstPartition}, there are ${count}`);
      }
      case 'delete-topic':
        this.#deletedIds.add(record.topicId);
        this.#mustBeAskedFor('deleteTopics', this.#nameOf(record.topicId), offset);
        return;
      case 'topic-configs':
        this.#mustBeAskedFor('alterConfigs', this.#nameOf(record.topicId), offset);
        return;
      case 'producer-id-block':
        if (record.firstProducerId === this.image.nextProducerId) return;
        throw new Violation('M4', `block ${record.firstProducerId} at ${offset}`);
      default:
    }
  }

  /** What was refused, or done once, is not done again. */
  #mustBeAskedFor(kind: ControlOp['kind'], name: string, offset: number): void {
    if (this.#o.isAskedFor(kind, name)) return;
    throw new Violation('M1', `${kind} ${name} at ${offset}: nobody asks for it any more`);
  }

  #nameOf(topicId: string): string {
    return this.image.topicsById.get(topicId)?.name ?? topicId;
  }

  onController(nodeId: number, leaderEpoch: number): void {
    const before = this.#controllers.get(leaderEpoch);
    // After a gap in time the same node begins once more.
    if (before !== undefined && before !== nodeId) {
      throw new Violation('R1', `${before} and ${nodeId} are controllers in ${leaderEpoch}`);
    }
    this.#controllers.set(leaderEpoch, nodeId);
    const isFirst = this.#controllers.size === 1;
    const how = isFirst ? 'first-controller' : 'controller-changed';
    this.#world.branch(before === nodeId ? 'controller-again' : how);
    this.#world.note(`controller ${nodeId} ${leaderEpoch}`);
  }

  /**
   * One leader an epoch. (One of an older epoch may well begin to serve after a newer one, when it
   * hears late of its election: whoever needs to know asks a quorum.)
   */
  onServing(nodeId: number, group: GroupKey, leaderEpoch: number): void {
    const key = `${groupText(group)} in ${leaderEpoch}`;
    const before = this.#served.get(key) ?? nodeId;
    if (before !== nodeId) throw new Violation('R1', `${before} and ${nodeId} serve ${key}`);
    this.#served.set(key, nodeId);
  }
}
