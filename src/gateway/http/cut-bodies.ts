/**
 * Bodies of many records cut by native code, which takes what is usual and right; everything else
 * is record-bodies.ts' to read, and to name what is wrong with it. Any thread.
 */
import type { WallMs } from '../../base/units.js';
import type { ShareBatch } from '../../handlers/http/produce.js';
import { type CutBody, cutRecords, releaseBlocks, sealBatch } from '../../native/record-cutter.js';
import type { ManyFormat } from './record-bodies.js';

export type CutAsked = {
  readonly format: ManyFormat;
  /** Of the topic. */
  readonly partitions: number;
  /** For records that name none; null: by key. */
  readonly partition: number | null;
  /** For records without a key; null: there is none that would do. */
  readonly anyPartition: number | null;
  readonly nowMs: WallMs;
};

/** Null: not cut, for whatever reason. */
export function cutBody(body: Buffer, { format, ...asked }: CutAsked): CutBody | null {
  const cut = cutRecords(body, 0, body.length, { ...asked, isArray: format === 'array' });
  return cut.fault === 'NONE' ? cut : null;
}

/** The body's blocks are used up. */
export function batchesOf(cut: CutBody): ShareBatch[] {
  const { records, shares, shareOf } = cut;
  const places = shares.map((): number[] => []);
  for (let place = 0; place < records; place++) places[shareOf?.[place] ?? 0]?.push(place);
  const batches = shares.map(({ partition, records: count, blocks }, i) => {
    return { partition, places: places[i] ?? [], bytes: sealBatch([blocks], count) };
  });
  releaseBlocks(cut);
  return batches;
}
