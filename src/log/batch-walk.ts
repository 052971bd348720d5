/**
 * Walks over the batch headers of a log file with small positioned reads, never the whole file in
 * memory. Batches lie one behind the other (recovery has seen to it); it says CORRUPT where they do
 * not, for bytes may change later. Thread: the caller's.
 */
import { LograftError } from '../base/errors.js';
import type { FilePosition } from '../base/units.js';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  emptyHeader,
  isPlausible,
  nextOffsetOf,
  readBatchHeader,
} from '../records/batch.js';
import type { Disk, DiskFile } from './disk.js';
import type { Boundary } from './segment-home.js';

/** Called with a header that is only valid during the call; false ends the walk. */
export type VisitBatch = (header: BatchHeader, filePosition: FilePosition) => boolean;

const FIRST_READ_BYTES_MAX = 4 << 10;
const READ_BYTES_MAX = 256 << 10;

/**
 * Visits the batches from `from` up to the boundary `end`. Returns where the last visited batch
 * ends, or `from`. The batch whose visit returned false counts as not visited.
 */
export function walkBatches(
  disk: Disk,
  file: DiskFile,
  from: FilePosition,
  end: Boundary,
  visit: VisitBatch,
): FilePosition {
  const header = emptyHeader();
  let buffer = Buffer.allocUnsafe(
    Math.max(BATCH_HEADER_BYTES, Math.min(FIRST_READ_BYTES_MAX, end.filePosition - from)),
  );
  let bufferStart = from;
  let bufferEnd = from;
  let position = from;
  let nextOffset = 0;
  while (position < end.filePosition) {
    if (position + BATCH_HEADER_BYTES > bufferEnd) {
      // Small batches: the last read was used up batch by batch, so read more at once.
      const isDense = position < bufferEnd + BATCH_HEADER_BYTES && position > from;
      if (isDense && buffer.length < READ_BYTES_MAX) {
        buffer = Buffer.allocUnsafe(buffer.length * 4);
      }
      bufferStart = position;
      const wanted = Math.min(buffer.length, end.filePosition - position);
      bufferEnd = position + disk.readAt(file, position, buffer, 0, wanted);
      if (position + BATCH_HEADER_BYTES > bufferEnd) throw corrupt(file, position);
    }
    readBatchHeader(buffer, position - bufferStart, header);
    if (!isPlausible(header) || header.baseOffset < nextOffset) throw corrupt(file, position);
    nextOffset = nextOffsetOf(header);
    const isInside = position + header.sizeBytes <= end.filePosition && nextOffset <= end.offset;
    if (!isInside) throw corrupt(file, position);
    if (!visit(header, position)) return position;
    position += header.sizeBytes;
  }
  return position;
}

/** The header of a batch at a place where one may begin; null when there is none. */
export function headerAt(
  disk: Disk,
  file: DiskFile,
  filePosition: FilePosition,
  end: FilePosition,
): BatchHeader | null {
  if (filePosition + BATCH_HEADER_BYTES > end) return null;
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES);
  const count = disk.readAt(file, filePosition, bytes, 0, BATCH_HEADER_BYTES);
  if (count < BATCH_HEADER_BYTES) return null;
  const header = readBatchHeader(bytes, 0);
  return isPlausible(header) ? header : null;
}

function corrupt(file: DiskFile, position: FilePosition): LograftError {
  return new LograftError(
    'CORRUPT',
    `${file.path}: no record batch at ${position}`,
    'a restart checks the replica and fetches what is missing from a peer',
  );
}
