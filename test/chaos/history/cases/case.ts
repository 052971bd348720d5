/**
 * What a planted history is: a clean beginning, then either what breaks one promise, or the nearest
 * thing that does not. Pure data, judged by history.test.ts.
 */
import type { HistoryEvent } from '../events.js';
import type { ViolationId } from '../violation.js';

export type Events = readonly HistoryEvent[];

export type Case = {
  readonly id: ViolationId;
  readonly what: string;
  readonly before: Events;
  /** Must be reported under exactly `id`. */
  readonly broken: Events;
  /** Must not be reported at all. */
  readonly clean: Events;
  /** When the run ended. */
  readonly endMs?: number;
};

export const PARTITION = 'orders:0';
export const OTHER_PARTITION = 'orders:1';
