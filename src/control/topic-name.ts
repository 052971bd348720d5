/** Kafka's rules for topic names. Pure. */
import type { Refusal } from './operations.js';

const NAME_LENGTH_MAX = 249;
const LEGAL = /^[a-zA-Z0-9._-]+$/;

/** Why a topic may not have this name; null when it may. */
export function refuseTopicName(name: string): Refusal | null {
  const problem = problemOf(name);
  return problem === null ? null : { error: 'INVALID_TOPIC_EXCEPTION', message: problem };
}

/**
 * Metrics cannot tell `.` from `_`, so names that differ only there collide (Kafka's rule). Null
 * for a name that has neither and so collides with nothing.
 */
export function foldTopicName(name: string): string | null {
  return /[._]/.test(name) ? name.replaceAll('.', '_') : null;
}

/** `folded`: folded form → name of every topic there is. */
export function refuseCollision(folded: ReadonlyMap<string, string>, name: string): Refusal | null {
  const own = foldTopicName(name);
  const other = own === null ? undefined : folded.get(own);
  if (other === undefined || other === name) return null;
  return {
    error: 'INVALID_TOPIC_EXCEPTION',
    message: `Topic '${name}' collides with existing topic: ${other}`,
  };
}

function problemOf(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed';
  if (name === '.' || name === '..') return "Topic name is invalid: '.' or '..' is not allowed";
  if (name.length > NAME_LENGTH_MAX) {
    return (
      `Topic name is invalid: the length of '${name}' is longer than the max allowed length ` +
      `${NAME_LENGTH_MAX}`
    );
  }
  if (!LEGAL.test(name)) {
    return (
      `Topic name is invalid: '${name}' contains one or more characters other than ASCII ` +
      "alphanumerics, '.', '_' and '-'"
    );
  }
  if (name === '__cluster_metadata') return `Topic name is invalid: '${name}' is reserved`;
  return null;
}
