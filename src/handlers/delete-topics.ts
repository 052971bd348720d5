/** DeleteTopics by name, and by id from version 6 on. */
import { CLIENT_WAIT_MS_MAX } from '../base/limits.js';
import { ZERO_UUID } from '../base/uuid.js';
import type { TopicRef } from '../control/operations.js';
import type {
  DeleteTopicsRequest,
  DeleteTopicsResponse,
  deleteTopicsApi,
} from '../protocol/messages/delete-topics.js';
import type { Handler } from './context.js';
import { answerControl } from './control-call.js';
import { kafkaCode } from './error-code.js';

type TopicResult = DeleteTopicsResponse['responses'][number];

export const deleteTopics: Handler<typeof deleteTopicsApi> = (context, request, _info, respond) => {
  const topics = askedTopics(request);
  const timeoutMs = Math.min(Math.max(request.timeoutMs, 0), CLIENT_WAIT_MS_MAX);
  answerControl(
    context.control({ kind: 'deleteTopics', topics }, timeoutMs),
    (results) => {
      respond({
        responses: results.map(({ name, topicId, error, message }) => ({
          name,
          topicId: topicId ?? ZERO_UUID,
          errorCode: kafkaCode(error ?? 'NONE'),
          errorMessage: message,
        })),
      });
    },
    (errorCode, errorMessage) => {
      const failed = (ref: TopicRef): TopicResult => ({
        name: 'name' in ref ? ref.name : null,
        topicId: 'name' in ref ? ZERO_UUID : ref.topicId,
        errorCode,
        errorMessage,
      });
      respond({ responses: topics.map(failed) });
    },
  );
};

/** Versions up to 5 carry names, later ones names or ids. */
function askedTopics(request: DeleteTopicsRequest): TopicRef[] {
  const refs = request.topics.map(({ name, topicId }) => (name === null ? { topicId } : { name }));
  return [...request.topicNames.map((name) => ({ name })), ...refs];
}
