/** 16-byte ids in Kafka's text form: 22 characters of unpadded base64url. */
import { randomBytes } from 'node:crypto';

/** The all-zero id: "no topic id" on the wire. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';

const UUID_TEXT = /^[A-Za-z0-9_-]{22}$/;

/** A random version-4 UUID as text; never starts with "-" so that it is easy to pass to a shell. */
export function randomUuid(): string {
  for (;;) {
    const bytes = randomBytes(16);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const text = bytes.toString('base64url');
    if (!text.startsWith('-')) return text;
  }
}

/** Whether this can be an id; what comes from a file or a peer may be anything. */
export function isUuidText(value: unknown): value is string {
  return typeof value === 'string' && UUID_TEXT.test(value);
}
