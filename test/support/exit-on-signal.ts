/** A signal ends this process by its exit, so that what waits for the exit can tidy up. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** As shells say that a signal ended a program. */
const EXIT_CODE = 130;

let isSet = false;

export function exitOnSignal(): void {
  if (isSet) return;
  isSet = true;
  for (const signal of SIGNALS) process.once(signal, () => process.exit(EXIT_CODE));
}
