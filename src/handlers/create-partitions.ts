/** CreatePartitions: raises the partition count of topics. */
import { CLIENT_WAIT_MS_MAX } from '../base/limits.js';
import type { createPartitionsApi } from '../protocol/messages/create-partitions.js';
import type { Handler } from './context.js';
import { answerControl } from './control-call.js';
import { kafkaCode } from './error-code.js';

export const createPartitions: Handler<typeof createPartitionsApi> = (
  context,
  request,
  _info,
  respond,
) => {
  const topics = request.topics.map(({ name, count, assignments }) => ({
    name,
    count,
    assignments: assignments === null ? null : assignments.map(({ brokerIds }) => brokerIds),
  }));
  const timeoutMs = Math.min(Math.max(request.timeoutMs, 0), CLIENT_WAIT_MS_MAX);
  answerControl(
    context.control(
      { kind: 'createPartitions', topics, isValidateOnly: request.validateOnly },
      timeoutMs,
    ),
    (results) => {
      respond({
        results: results.map(({ name, error, message }) => ({
          name,
          errorCode: kafkaCode(error ?? 'NONE'),
          errorMessage: message,
        })),
      });
    },
    (errorCode, errorMessage) => {
      respond({ results: topics.map(({ name }) => ({ name, errorCode, errorMessage })) });
    },
  );
};
