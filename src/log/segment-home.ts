/** Shapes that a log's segments and those who walk over them share. */
import type { Mutant } from '../base/mutant.js';
import type { FilePosition, Offset } from '../base/units.js';
import type { Disk } from './disk.js';
import type { FileCache } from './file-cache.js';

/** What all segments of a log share. */
export type SegmentHome = {
  readonly disk: Disk;
  readonly files: FileCache;
  readonly directory: string;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

/** A place between two batches: the batch that begins there, if any, begins with `offset`. */
export type Boundary = { readonly offset: Offset; readonly filePosition: FilePosition };

/** Which indexes were what the log says, as far as recovery needed to look. */
export type ResumedIndexes = {
  readonly isOffsetIndexSound: boolean;
  readonly isTimeIndexSound: boolean;
};
