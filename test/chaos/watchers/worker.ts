/** What runs beside the faults from the first round to the last: writers, watchers, clients. */

export type Worker = {
  /** Ends some time after {@link stop}; an error ends the run. */
  run(): Promise<void>;
  stop(): void;
};
