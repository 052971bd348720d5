/**
 * Topics in a member's metadata of protocol type `consumer`. Every version of the subscription
 * begins with the same fields (the rest is not looked at):
 *
 *     int16 version | int32 n | n strings topic (int16 length + UTF-8) | ...
 *
 * The bytes come from a client: what does not parse is "unknown", never an error. Pure.
 */

export const CONSUMER_PROTOCOL_TYPE = 'consumer';

export function subscribedTopics(metadata: Buffer): string[] | null {
  if (metadata.length < 6) return null;
  const count = metadata.readInt32BE(2);
  // Each topic takes two bytes at least.
  if (count < 0 || count > (metadata.length - 6) / 2) return null;
  const topics: string[] = [];
  let at = 6;
  for (let i = 0; i < count; i++) {
    if (at + 2 > metadata.length) return null;
    const length = metadata.readInt16BE(at);
    at += 2;
    if (length < 0 || at + length > metadata.length) return null;
    topics.push(metadata.toString('utf8', at, at + length));
    at += length;
  }
  return topics;
}
