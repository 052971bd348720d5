/**
 * Every kind of fault, by name, and the plan of a run. A new family adds its kinds to KINDS and is
 * part of `--faults all` from then on.
 */
import type { Prng } from '#src/base/prng.js';
import { clock } from './clock.js';
import { kill, killAll, killTwo } from './crash.js';
import { eio, short, slowdisk, torn } from './disk-errors.js';
import { enospc } from './disk-full.js';
import { powercut, powercutAll, powercutTwo } from './disk-power.js';
import { bitflip } from './disk-rot.js';
import type { Fault, FaultKind } from './fault.js';
import { fd } from './fd.js';
import { cut, oneway, partial } from './network.js';
import { pause, pauseTwo } from './pause.js';
import { delay, midFrame } from './proxy.js';

/** In the order in which they prepare a cluster: addresses first, then what stands in between. */
export const KINDS: readonly FaultKind[] = [
  kill,
  killTwo,
  killAll,
  pause,
  pauseTwo,
  cut,
  oneway,
  partial,
  delay,
  midFrame,
  powercut,
  powercutTwo,
  powercutAll,
  enospc,
  eio,
  short,
  torn,
  slowdisk,
  bitflip,
  clock,
  fd,
];

export const KIND_NAMES: readonly string[] = KINDS.map(({ kind }) => kind);

export function kindsNamed(names: readonly string[]): FaultKind[] {
  return KINDS.filter(({ kind }) => names.includes(kind));
}

export type Choice = {
  readonly kinds: readonly FaultKind[];
  /** `kind: reason` of those that can not run here. */
  readonly missing: readonly string[];
};

/** Those of `kinds` that can run on this machine. */
export function choose(kinds: readonly FaultKind[]): Choice {
  const reasons = kinds.map((kind) => ({ kind, reason: kind.availability() }));
  return {
    kinds: reasons.flatMap(({ kind, reason }) => (reason === null ? [kind] : [])),
    missing: reasons.flatMap(({ kind: { kind }, reason }) =>
      reason === null ? [] : [`${kind}: ${reason}`],
    ),
  };
}

/**
 * One fault a round. Each kind comes once before any comes twice, so that a run as long as its list
 * has shown them all.
 */
export function planFaults(
  random: Prng,
  rounds: number,
  kinds: readonly FaultKind[],
  nodeIds: readonly number[],
): readonly Fault[] {
  let left: FaultKind[] = [];
  return Array.from({ length: rounds }, () => {
    if (left.length === 0) left = [...kinds];
    const [kind] = left.splice(random.int(0, left.length), 1) as [FaultKind];
    return kind.plan(random, nodeIds);
  });
}
