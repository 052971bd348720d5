/** What can go wrong between this client and a broker: an answer with an error code, or none. */
import { type ErrorInfo, errorInfo } from '../../protocol/errors.js';
import type { Address } from '../options.js';

/** A broker answered with an error code. `code` is Kafka's name for it. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError';
  readonly info: ErrorInfo;
  readonly code: string;

  constructor(errorCode: number, context: string, brokerMessage?: string | null) {
    const info = errorInfo(errorCode);
    super(`${context}: ${brokerMessage ?? info.name}`);
    this.info = info;
    this.code = info.name;
  }
}

/** No answer: the connection failed or the broker took too long. The request may have worked. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code = 'NETWORK_EXCEPTION';

  constructor(address: Address, reason: string) {
    super(`${address.host}:${address.port}: ${reason}`);
  }
}

export function throwIfError(
  errorCode: number,
  context: string,
  brokerMessage?: string | null,
): void {
  if (errorCode !== 0) throw new KafkaError(errorCode, context, brokerMessage);
}

/** Whether the same request may succeed later, perhaps on another broker. */
export function isRetriable(error: unknown): boolean {
  return (
    error instanceof ConnectionError || (error instanceof KafkaError && error.info.isRetriable)
  );
}
