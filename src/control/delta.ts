/**
 * Images travel between threads as deltas: the decoded records of committed batches, or a whole
 * image. A shard applies them with the same pure function as the main thread, so its image is the
 * same value a moment later (invariant M1). Both forms survive structured clone.
 */
import { assert } from '../base/assert.js';
import type { Offset, TopicId } from '../base/units.js';
import { applyRecord, type ClusterImage } from './image.js';
import { decodeImage } from './image-codec.js';
import type { MetadataRecord } from './records.js';

export type RecordsDelta = {
  readonly kind: 'records';
  /** Applied offset before and after: `to - from === records.length`. */
  readonly from: Offset;
  readonly to: Offset;
  readonly records: readonly MetadataRecord[];
};

/** A whole image (start-up, or a snapshot taken from the leader); bytes of `encodeImage`. */
export type FullDelta = { readonly kind: 'full'; readonly to: Offset; readonly bytes: Uint8Array };

export type ImageDelta = RecordsDelta | FullDelta;

/** What a delta touched. `everything`: compare whole images. */
export type TouchedTopics = 'everything' | ReadonlySet<TopicId>;

export function applyDelta(image: ClusterImage, delta: ImageDelta): ClusterImage {
  if (delta.kind === 'full') return decodeImage(delta.bytes);
  assert(delta.from === image.appliedOffset, 'a delta starts where the image ends', {
    from: delta.from,
    appliedOffset: image.appliedOffset,
  });
  return delta.records.reduce(applyRecord, image);
}

/** Ids of topics created, changed or deleted by a delta. */
export function touchedTopics(delta: ImageDelta): TouchedTopics {
  if (delta.kind === 'full') return 'everything';
  const touched = new Set<TopicId>();
  for (const record of delta.records) if ('topicId' in record) touched.add(record.topicId);
  return touched;
}
