/** What simulated members and their judge write into the fields that belong to clients. Pure. */

/** The made-up topic that groups read. */
export const TOPIC_READ = 'read';

const STATIC = /^(static-\d+)-/;

/** A restarted static member is the same owner under a new id. */
export function seatOf(memberId: string): string {
  return STATIC.exec(memberId)?.[1] ?? memberId;
}

export function instanceIdOf(member: number): string {
  return `static-${member}`;
}

export function partitionName(partitionIndex: number): string {
  return `${TOPIC_READ}:${partitionIndex}`;
}

export function encodeAssignment(partitions: readonly number[]): Buffer {
  return Buffer.from(partitions);
}

export function decodeAssignment(bytes: Buffer): number[] {
  return [...bytes];
}

/** A subscription as consumers send it: version, topics, and user data that tells `version`. */
export function encodeSubscription(version: number): Buffer {
  const name = Buffer.from(TOPIC_READ);
  const head = Buffer.alloc(8);
  head.writeInt32BE(1, 2);
  head.writeInt16BE(name.length, 6);
  return Buffer.concat([head, name, Buffer.from([0, 0, 0, 1, version & 255])]);
}
