/**
 * How an error thrown by a callback of native code reaches `uncaughtException`: from a microtask,
 * so that the callbacks still due in the same turn run first and none is lost.
 */
export function reportUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
