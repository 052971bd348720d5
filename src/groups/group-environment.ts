/** What a group needs of its coordinator: time, deadlines, settings and its place in the log. */
import type { Mutant } from '../base/mutant.js';
import type { Deadlines } from './deadlines.js';
import type { GroupMetadata } from './group-records.js';
import type { GroupError, GroupSettings } from './group-types.js';

export type StoreDone = (error: GroupError | null) => void;

export type GroupEnvironment = {
  readonly settings: GroupSettings;
  readonly deadlines: Deadlines;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
  /** Group time in ms; only differences count. */
  now(): number;
  /** For timestamps in records. */
  wallMs(): number;
  /** Writes the group's record; `done` is called once, with null when a quorum has it. */
  store(groupId: string, value: GroupMetadata, done: StoreDone | null): void;
  /** Nobody is a member or about to be one: the group may be forgotten if nothing else needs it. */
  onDeserted(groupId: string): void;
};
