/** CRC32C for rooms that may not load the addon themselves: the CLI's own Kafka client. */
import { crc32c } from '../native/crc32c.js';
import type { Checksum } from '../records/batch.js';

/** The checksum of a record batch, in hardware where there is some. */
export const recordChecksum: Checksum = (bytes, start, length) => crc32c(bytes, start, length);
