/**
 * Records of __consumer_offsets, byte for byte as Kafka's coordinator writes them, so that
 * Kafka's own dump tool reads ours. Pure.
 *
 *     OffsetCommitKey v0, v1    int16 version | string group | string topic | int32 partition
 *     GroupMetadataKey v2       int16 version | string group
 *     OffsetCommitValue v1      int16 1 | int64 offset | string metadata | int64 commitTimestamp
 *                               | int64 expireTimestamp
 *     OffsetCommitValue v3      int16 3 | int64 offset | int32 leaderEpoch | string metadata
 *                               | int64 commitTimestamp
 *     GroupMetadataValue v3     int16 3 | string protocolType | int32 generation
 *                               | nullable string protocol | nullable string leader
 *                               | int64 currentStateTimestamp | int32 n | n members:
 *                                 string memberId | nullable string groupInstanceId
 *                                 | string clientId | string clientHost | int32 rebalanceTimeout
 *                                 | int32 sessionTimeout | bytes subscription | bytes assignment
 *
 * string = int16 length + UTF-8 (-1: null), bytes = int32 length + bytes. A record with a null
 * value (tombstone) removes its key. v1 carries what v3 cannot: an expiry the client asked for.
 */
import { LograftError } from '../base/errors.js';

const OFFSET_KEY_V0 = 0;
const OFFSET_KEY = 1;
const GROUP_KEY = 2;
const OFFSET_VALUE_WITH_EXPIRY = 1;
const OFFSET_VALUE = 3;
const GROUP_VALUE = 3;

/** Length prefix of a string is an int16. */
const STRING_BYTES_MAX = 32_767;

export type CoordinatorRecord = { readonly key: Buffer; readonly value: Buffer | null };

export type RecordKey =
  | {
      readonly kind: 'offset';
      readonly groupId: string;
      readonly topic: string;
      readonly partition: number;
    }
  | { readonly kind: 'group'; readonly groupId: string }
  /** Written by another version: kept out of our state, as Kafka does. */
  | { readonly kind: 'unknown'; readonly version: number };

export type CommittedOffset = {
  readonly offset: number;
  /** -1 when the client did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestamp: number;
  /** Wall time at which it may go, as an old client asked; -1: by the broker's retention. */
  readonly expireTimestamp: number;
};

export type MemberMetadata = {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly subscription: Buffer;
  readonly assignment: Buffer;
};

export type GroupMetadata = {
  readonly protocolType: string;
  readonly generation: number;
  readonly protocol: string | null;
  readonly leader: string | null;
  /**
   * Wall time of the last change of state. -1 with members says that the generation is open: its
   * members were told to join, and no assignment was handed out yet.
   */
  readonly currentStateTimestamp: number;
  readonly members: readonly MemberMetadata[];
};

export function encodeOffsetKey(groupId: string, topic: string, partition: number): Buffer {
  const out = new Writer(10 + textBytes(groupId) + textBytes(topic));
  out.int16(OFFSET_KEY);
  out.text(groupId);
  out.text(topic);
  out.int32(partition);
  return out.bytes;
}

export function encodeGroupKey(groupId: string): Buffer {
  const out = new Writer(4 + textBytes(groupId));
  out.int16(GROUP_KEY);
  out.text(groupId);
  return out.bytes;
}

export function encodeOffsetValue(value: CommittedOffset): Buffer {
  const out = new Writer(offsetValueBytes(value));
  const hasExpiry = value.expireTimestamp !== -1;
  out.int16(hasExpiry ? OFFSET_VALUE_WITH_EXPIRY : OFFSET_VALUE);
  out.int64(value.offset);
  if (!hasExpiry) out.int32(value.leaderEpoch);
  out.text(value.metadata);
  out.int64(value.commitTimestamp);
  if (hasExpiry) out.int64(value.expireTimestamp);
  return out.bytes;
}

/** Size of {@link encodeOffsetValue}'s result. */
export function offsetValueBytes(value: CommittedOffset): number {
  return (value.expireTimestamp === -1 ? 24 : 28) + textBytes(value.metadata);
}

export function encodeGroupValue(group: GroupMetadata): Buffer {
  const out = new Writer(groupValueBytes(group));
  out.int16(GROUP_VALUE);
  out.text(group.protocolType);
  out.int32(group.generation);
  out.text(group.protocol);
  out.text(group.leader);
  out.int64(group.currentStateTimestamp);
  out.int32(group.members.length);
  for (const member of group.members) {
    out.text(member.memberId);
    out.text(member.groupInstanceId);
    out.text(member.clientId);
    out.text(member.clientHost);
    out.int32(member.rebalanceTimeoutMs);
    out.int32(member.sessionTimeoutMs);
    out.blob(member.subscription);
    out.blob(member.assignment);
  }
  return out.bytes;
}

/** Size of {@link encodeGroupValue}'s result. */
export function groupValueBytes(group: GroupMetadata): number {
  let size = 24 + textBytes(group.protocolType) + textBytes(group.protocol);
  size += textBytes(group.leader);
  for (const member of group.members) size += memberBytes(member);
  return size;
}

function memberBytes(member: MemberMetadata): number {
  return (
    24 +
    textBytes(member.memberId) +
    textBytes(member.groupInstanceId) +
    textBytes(member.clientId) +
    textBytes(member.clientHost) +
    member.subscription.length +
    member.assignment.length
  );
}

/** Throws LograftError('CORRUPT') when the bytes of a known version do not parse. */
export function decodeKey(bytes: Buffer): RecordKey {
  const input = new Reader(bytes, 'key');
  const version = input.int16();
  switch (version) {
    case OFFSET_KEY_V0:
    case OFFSET_KEY:
      return {
        kind: 'offset',
        groupId: input.text(),
        topic: input.text(),
        partition: input.int32(),
      };
    case GROUP_KEY:
      return { kind: 'group', groupId: input.text() };
    default:
      return { kind: 'unknown', version };
  }
}

export function decodeOffsetValue(bytes: Buffer): CommittedOffset {
  const input = new Reader(bytes, 'offset commit');
  const version = input.int16();
  if (version < 0 || version > OFFSET_VALUE) throw corrupt('offset commit', `version ${version}`);
  const offset = input.int64();
  const leaderEpoch = version === OFFSET_VALUE ? input.int32() : -1;
  const metadata = input.text();
  const commitTimestamp = input.int64();
  const expireTimestamp = version === OFFSET_VALUE_WITH_EXPIRY ? input.int64() : -1;
  return { offset, leaderEpoch, metadata, commitTimestamp, expireTimestamp };
}

export function decodeGroupValue(bytes: Buffer): GroupMetadata {
  const input = new Reader(bytes, 'group metadata');
  const version = input.int16();
  if (version < 0 || version > GROUP_VALUE) throw corrupt('group metadata', `version ${version}`);
  const protocolType = input.text();
  const generation = input.int32();
  const protocol = input.nullableText();
  const leader = input.nullableText();
  const currentStateTimestamp = version >= 2 ? input.int64() : -1;
  const count = input.int32();
  const members: MemberMetadata[] = [];
  for (let i = 0; i < count; i++) members.push(decodeMember(input, version));
  return { protocolType, generation, protocol, leader, currentStateTimestamp, members };
}

function decodeMember(input: Reader, version: number): MemberMetadata {
  const memberId = input.text();
  const groupInstanceId = version >= 3 ? input.nullableText() : null;
  const clientId = input.text();
  const clientHost = input.text();
  const rebalanceTimeout = version >= 1 ? input.int32() : -1;
  const sessionTimeoutMs = input.int32();
  return {
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs: rebalanceTimeout === -1 ? sessionTimeoutMs : rebalanceTimeout,
    sessionTimeoutMs,
    subscription: input.blob(),
    assignment: input.blob(),
  };
}

function textBytes(text: string | null): number {
  return text === null ? 0 : Buffer.byteLength(text);
}

function corrupt(what: string, why: string): LograftError {
  return new LograftError('CORRUPT', `record of __consumer_offsets: ${what}: ${why}`);
}

class Writer {
  readonly bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  int16(value: number): void {
    this.#at = this.bytes.writeInt16BE(value, this.#at);
  }

  int32(value: number): void {
    this.#at = this.bytes.writeInt32BE(value, this.#at);
  }

  int64(value: number): void {
    this.#at = this.bytes.writeBigInt64BE(BigInt(value), this.#at);
  }

  text(value: string | null): void {
    if (value === null) {
      this.int16(-1);
      return;
    }
    const length = Buffer.byteLength(value);
    if (length > STRING_BYTES_MAX) throw corrupt('string', `${length} bytes are too many`);
    this.int16(length);
    this.#at += this.bytes.write(value, this.#at);
  }

  blob(value: Buffer): void {
    this.int32(value.length);
    this.#at += value.copy(this.bytes, this.#at);
  }
}

/** Copies what it returns: the bytes it reads may be a view of a reused buffer. */
class Reader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  int64(): number {
    const value = Number(this.#bytes.readBigInt64BE(this.#take(8)));
    if (!Number.isSafeInteger(value)) throw corrupt(this.#what, `${value} is out of range`);
    return value;
  }

  text(): string {
    const value = this.nullableText();
    if (value === null) throw corrupt(this.#what, 'a null string where none may be');
    return value;
  }

  nullableText(): string | null {
    const length = this.int16();
    if (length === -1) return null;
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  blob(): Buffer {
    const length = this.int32();
    const start = this.#take(length);
    return Buffer.from(this.#bytes.subarray(start, start + length));
  }

  #take(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length) {
      throw corrupt(this.#what, `${length} bytes wanted at ${start} of ${this.#bytes.length}`);
    }
    this.#at = start + length;
    return start;
  }
}
