/**
 * Paths on a disk in memory: taken apart once, since the same few are asked for again and again,
 * and named in the errors that a system gives. No state but what was taken apart.
 */

export class PathNames {
  readonly #known = new Map<string, readonly string[]>();

  /** The names from the root down. */
  namesOf(path: string): readonly string[] {
    let names = this.#known.get(path);
    if (names === undefined) {
      names = path.split('/').filter((name) => name !== '' && name !== '.');
      this.#known.set(path, names);
    }
    return names;
  }
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function errnoError(code: string, path: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${code}: ${path}`);
  error.code = code;
  return error;
}
