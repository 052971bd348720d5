/**
 * Which methods a path is known for, so that a request with another one hears 405 and their names
 * instead of 404 (RFC 9110 §15.5.6). Filled while routes are added. Main thread.
 */
import type { FastifyInstance } from 'fastify';

type Route = { readonly segments: readonly string[]; readonly methods: readonly string[] };

export class AllowedMethods {
  readonly #routes: Route[] = [];

  /** Before the first route is added. */
  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ url, method }) => {
      this.#routes.push({ segments: url.split('/'), methods: [method].flat() });
    });
  }

  /** Sorted; none for a path that nothing is known of. */
  of(path: string): string[] {
    const segments = path.split('/');
    const known = this.#routes.filter((route) => isLike(route.segments, segments));
    return [...new Set(known.flatMap(({ methods }) => methods))].sort();
  }
}

function isLike(route: readonly string[], path: readonly string[]): boolean {
  const isSame = (segment: string, i: number): boolean =>
    segment.startsWith(':') ? path[i] !== '' : segment === path[i];
  return route.length === path.length && route.every(isSame);
}
