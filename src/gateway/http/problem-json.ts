/** A problem as RFC 9457 writes it: `application/problem+json` with a code that stays the same. */
import { STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json';
/** The header `retry-after` of every 503: a new leader is there by then. */
export const RETRY_AFTER_S = '1';

/** `details` join the document's own members. */
export function problemText(
  status: number,
  code: string,
  detail: string,
  details: Readonly<Record<string, unknown>>,
): string {
  const title = STATUS_CODES[status] ?? 'Error';
  return `${JSON.stringify({ type: 'about:blank', title, status, code, detail, ...details })}\n`;
}
