/**
 * What the processes of the HTTP workload are asked to do and what they answer: plain objects, they
 * travel between processes as JSON.
 */

/** Load before the window, and the window; what is under way at its end is waited for. */
export type HttpWindow = { readonly warmupMs: number; readonly measureMs: number };

export type LoadJob = {
  readonly kind: 'load';
  /** Connections take them in turn. */
  readonly urls: readonly string[];
  readonly method: 'GET' | 'POST';
  readonly contentType: string | null;
  readonly body: string | null;
  readonly connections: number;
  readonly pipelining: number;
  /** Requests a second of all connections; null: as many as are answered. */
  readonly rate: number | null;
  readonly window: HttpWindow;
};

export type LoadResult = {
  /** Of the window. */
  readonly elapsedMs: number;
  readonly answeredInWindow: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of the whole run, with everything before and behind the window. */
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Not 200, and nothing that says when to come again. */
  readonly withoutRetryAfter: number;
  /** From the first answer that was not 200 to the last one. */
  readonly refusedMs: number;
  /** Longest time between two answers with 200. */
  readonly gapMs: number;
  readonly faults: Readonly<Record<string, number>>;
};

export type DrainJob = {
  readonly kind: 'drain';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly window: HttpWindow;
};

export type DrainResult = {
  readonly elapsedMs: number;
  readonly bytesInWindow: number;
  /** Whole answers of the whole run. */
  readonly answers: number;
  readonly bytesPerAnswer: number;
  readonly faults: Readonly<Record<string, number>>;
};

export type HttpJob = LoadJob | DrainJob;
export type ResultOf<J extends HttpJob> = J extends LoadJob ? LoadResult : DrainResult;

/** From the process that has a job. */
export type FromWorker =
  | { readonly kind: 'window'; readonly isOpen: boolean }
  | { readonly kind: 'result'; readonly result: LoadResult | DrainResult };

/** To it: the job, then perhaps the wish that its window ends now. */
export type ToWorker = HttpJob | { readonly kind: 'stop' };
