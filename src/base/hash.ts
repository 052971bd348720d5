/**
 * Where things live: run-time choices that every thread and node must agree on. Nothing on disk.
 */

/** FNV-1a, 32 bits, over the UTF-16 code units of `text`. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** Index of the shard thread that owns a partition on a node with `shards` shard threads. */
export function shardOf(topicId: string, partition: number, shards: number): number {
  // Asked for every message: with one shard there is nothing to work out.
  return shards === 1 ? 0 : fnv1a(`${topicId}:${partition}`) % shards;
}

/** Shards of two nodes share partitions where their indexes are equal but for multiples of this. */
export function shardStride(shards: number, otherShards: number): number {
  return otherShards === 0 ? Math.max(1, shards) : shardStride(otherShards, shards % otherShards);
}
