/**
 * Errors by which the system says "not now": no space, no descriptor. What failed with one has not
 * happened, nothing is broken, and the same may work a moment later. Every other error of a disk is
 * final. Pure.
 */

const NO_SPACE: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
const NO_DESCRIPTOR: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE']);

export function isNoDescriptor(error: unknown): boolean {
  return NO_DESCRIPTOR.has(codeOf(error));
}

export function isShortage(error: unknown): boolean {
  return NO_SPACE.has(codeOf(error)) || isNoDescriptor(error);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
