/**
 * Reads what is next in the partitions of a consumer instance, some of them at once, each time
 * beginning with another one. Partitions without a leader are passed over. Moves no position.
 */
import { HTTP_RECORDS_MAX } from '../../../base/limits.js';
import { LEADER_NONE, type Offset } from '../../../base/units.js';
import type { LogRecord } from '../../../records/records.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';
import { askOffset } from '../leader-reads.js';
import { readRecords } from '../read.js';
import { committedOffsets } from './group-offsets.js';
import type { Owned, OwnedMap } from './owned.js';
import { ownedKey } from './owned.js';

export type Reset = 'earliest' | 'latest' | 'none';

export type Found = {
  readonly owned: Owned;
  readonly records: readonly LogRecord[];
  /** Where to read on when all of them were taken. */
  readonly nextOffset: Offset;
};

const AT_ONCE = 8;
/** An election does not keep the other partitions waiting. */
const LEADER_MS = 200;
/** Partitions whose ends are watched; more are looked at now and then. */
const WATCHED_MAX = 64;
const LOOK_MS = 100;

/** Gives out a number for the partition to begin with. */
let turns = 0;

/** Throws Problem. */
export async function findRecords(
  context: HttpContext,
  owned: OwnedMap,
  { reset, bytesMax }: { reset: Reset; bytesMax: number },
  gone: AbortSignal,
): Promise<Found[]> {
  const all = [...owned.values()].filter((one) => isLed(context, one));
  turns = (turns + 1) % Number.MAX_SAFE_INTEGER;
  const first = all.length === 0 ? 0 : turns % all.length;
  const order = [...all.slice(first), ...all.slice(0, first)];
  const found: Found[] = [];
  for (let at = 0, bytes = 0; at < order.length && bytes < bytesMax && !gone.aborted; ) {
    const some = order.slice(at, at + AT_ONCE);
    at += some.length;
    const reads = await Promise.all(some.map((one) => readOne(context, one, reset, gone)));
    for (const read of reads) {
      if (read === null) continue;
      found.push(read);
      bytes += read.records.reduce((sum, record) => sum + bytesOf(record), 0);
    }
  }
  return found;
}

export function bytesOf({ key, value }: LogRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

/** Null when nobody leads it now. */
async function readOne(
  context: HttpContext,
  owned: Owned,
  reset: Reset,
  gone: AbortSignal,
): Promise<Found | null> {
  const { group, position } = owned;
  if (position === null) return null;
  const query = { offset: position, max: HTTP_RECORDS_MAX, waitMs: 0, leaderMs: LEADER_MS };
  try {
    const { records, nextOffset } = await readRecords(context, group, query, gone);
    return { owned, records, nextOffset };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 503) return null;
    if (error.code !== 'OFFSET_OUT_OF_RANGE' || reset === 'none') throw error;
    return {
      owned,
      records: [],
      nextOffset: (await askOffset(context, group, { kind: reset })).offset,
    };
  }
}

/**
 * Positions that are not known yet: where the group is, or else as `reset` says. Throws Problem;
 * what was found until then stays found.
 */
export async function findPositions(
  context: HttpContext,
  groupId: string,
  owned: OwnedMap,
  reset: Reset,
): Promise<void> {
  const unknown = [...owned.values()].filter(({ position }) => position === null);
  if (unknown.length === 0) return;
  const committed = await committedOffsets(context, groupId, unknown);
  for (const one of unknown) {
    const offset = committed.get(ownedKey(one))?.offset ?? null;
    if (offset === null && reset === 'none') throw noOffset(one, groupId);
    const found = offset ?? (await resetOffset(context, one, reset as 'earliest' | 'latest'));
    // Whoever moved it meanwhile wins.
    one.position ??= found;
  }
}

async function resetOffset(
  context: HttpContext,
  { group }: Owned,
  kind: 'earliest' | 'latest',
): Promise<Offset | null> {
  try {
    return (await askOffset(context, group, { kind })).offset;
  } catch (error) {
    // Nobody leads it: the next request asks again, the other partitions are read.
    if (error instanceof Problem && error.status === 503) return null;
    throw error;
  }
}

function noOffset({ topic, partition }: Owned, groupId: string): Problem {
  const text = `group ${groupId} has no offset for ${topic}-${partition}, and its reset is none`;
  return new Problem(409, 'NO_OFFSET', text);
}

/** Calls `wake`, perhaps often, when there may be news; `withinMs` bounds how long that is true. */
export function watchNews(
  context: HttpContext,
  owned: OwnedMap,
  wake: () => void,
): { readonly withinMs: number; readonly cancel: () => void } {
  const all = [...owned.values()];
  const watched = all.filter((one) => one.position !== null && isLed(context, one));
  if (watched.length > WATCHED_MAX) return { withinMs: LOOK_MS, cancel: () => {} };
  const cancels = watched.map(({ group, position }) =>
    context.leader(group).onAdvance(position ?? 0, wake),
  );
  return {
    withinMs: watched.length < all.length ? LOOK_MS : Number.POSITIVE_INFINITY,
    cancel: () => {
      for (const cancel of cancels) cancel();
    },
  };
}

function isLed(context: HttpContext, { group }: Owned): boolean {
  return context.leaders().leaderOf(group.topicId, group.partition) !== LEADER_NONE;
}
