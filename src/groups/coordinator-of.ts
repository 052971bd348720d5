/** Which partition of __consumer_offsets, and so which broker, coordinates a group. Pure. */

const INT32_MIN = -(2 ** 31);

/**
 * Kafka's rule: the absolute value of Java's `String.hashCode` (over UTF-16 code units, 32 bits)
 * modulo the number of partitions. The one value without an absolute value counts as 0.
 */
export function partitionFor(groupId: string, partitionCount: number): number {
  let hash = 0;
  for (let i = 0; i < groupId.length; i++) {
    hash = (Math.imul(hash, 31) + groupId.charCodeAt(i)) | 0;
  }
  return (hash === INT32_MIN ? 0 : Math.abs(hash)) % partitionCount;
}
