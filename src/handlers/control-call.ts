/** How an operation on the controller ends for a client: with its value or one of Kafka's codes. */
import { LograftError } from '../base/errors.js';
import { kafkaCode } from './error-code.js';

export function answerControl<V>(
  call: Promise<{ readonly value: V }>,
  done: (value: V) => void,
  failed: (errorCode: number, message: string | null) => void,
): void {
  call.then(
    ({ value }) => done(value),
    (error: unknown) => {
      if (!(error instanceof LograftError)) throw error;
      // No controller answered in time: the operation may still happen, so the client asks again.
      failed(kafkaCode('REQUEST_TIMED_OUT'), error.message);
    },
  );
}
