/**
 * Assertions that stay on in production. A promise broken inside the program is a bug: stop with
 * the values in the message. Bytes from outside are never asserted, they become an error value.
 */

/** Thrown when an internal promise does not hold. Never caught to carry on with the same state. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws {@link InvariantError} unless `condition` holds; `values` are appended to the message. */
export function assert(
  condition: boolean,
  message: string,
  values?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (condition) return;
  throw new InvariantError(values === undefined ? message : `${message} ${describe(values)}`);
}

/** Marks a branch that the type system knows cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value ${describe({ value })}`);
}

function describe(values: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(values, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
}
