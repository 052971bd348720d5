/**
 * The classical mistakes that the simulator must find: which there are, and where each is switched
 * on - in the sources through an option that only a test can pass, on the simulated disk, or in how
 * a node comes back.
 */
import { CONTROL_MUTANTS, MUTANTS, type Mutant } from '#src/base/mutant.js';
import type { MemoryDisk } from '../log/memory-disk.js';

export type SimMutant = {
  readonly name: string;
  readonly inSource?: Mutant;
  readonly onDisk?: NonNullable<MemoryDisk['mistake']>;
  /** A wiped node comes back under its old directory id. */
  readonly keepsIdentity?: boolean;
  /** A replica that an image does not know is removed, however old the image is. */
  readonly deletesOrphans?: boolean;
  /** Only the control plane's profile can notice. */
  readonly isOfControl?: boolean;
};

const OF_CONTROL: ReadonlySet<string> = new Set(CONTROL_MUTANTS);

export const SIM_MUTANTS: readonly SimMutant[] = [
  ...MUTANTS.map((name) => ({ name, inSource: name, isOfControl: OF_CONTROL.has(name) })),
  { name: 'rename-without-directory-sync', onDisk: 'rename-without-directory-sync' },
  { name: 'sync-retried-after-error', onDisk: 'sync-retried-after-error' },
  { name: 'wiped-voter-keeps-identity', keepsIdentity: true },
  { name: 'deletes-orphans', deletesOrphans: true, isOfControl: true },
];

export const MUTANT_NAMES: readonly string[] = SIM_MUTANTS.map(({ name }) => name);

export function mutantOf(name: string): SimMutant {
  const mutant = SIM_MUTANTS.find((each) => each.name === name);
  if (mutant === undefined) {
    throw new Error(`no mutant ${name}; there are ${MUTANT_NAMES.join(', ')}`);
  }
  return mutant;
}
