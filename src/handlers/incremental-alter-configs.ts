/** IncrementalAlterConfigs (KIP-339) of topics; broker settings are changed in cluster.yml. */
import type { ConfigChange } from '../control/operations.js';
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
  incrementalAlterConfigsApi,
} from '../protocol/messages/incremental-alter-configs.js';
import type { Handler } from './context.js';
import { answerControl } from './control-call.js';
import { kafkaCode } from './error-code.js';
import { RESOURCE_TOPIC } from './resource-types.js';

type Resource = IncrementalAlterConfigsRequest['resources'][number];
type Result = IncrementalAlterConfigsResponse['responses'][number];

const ALTER_MS_MAX = 30_000;
/** By Kafka's number. */
const OPERATIONS: readonly ConfigChange['operation'][] = ['set', 'delete', 'append', 'subtract'];

export const incrementalAlterConfigs: Handler<typeof incrementalAlterConfigsApi> = (
  context,
  request,
  _info,
  respond,
) => {
  const refusals = new Map<Resource, Result>();
  for (const resource of request.resources) {
    const problem = problemOf(resource);
    if (problem !== null) refusals.set(resource, result(resource, 'INVALID_REQUEST', problem));
  }
  const accepted = request.resources.filter((resource) => !refusals.has(resource));
  const answer = (results: readonly Result[]): void => {
    respond({ responses: [...refusals.values(), ...results] });
  };
  if (accepted.length === 0) {
    answer([]);
    return;
  }
  const topics = accepted.map(({ resourceName, configs }) => ({
    name: resourceName,
    changes: configs.map(({ name, configOperation, value }) => ({
      name,
      operation: OPERATIONS[configOperation] as ConfigChange['operation'],
      value,
    })),
  }));
  answerControl(
    context.control(
      { kind: 'alterConfigs', topics, isValidateOnly: request.validateOnly },
      ALTER_MS_MAX,
    ),
    (outcomes) => {
      answer(
        outcomes.map(({ error, message }, i) =>
          result(accepted[i] as Resource, error ?? 'NONE', message),
        ),
      );
    },
    (errorCode, errorMessage) => {
      answer(
        accepted.map((resource) => ({ ...result(resource, 'NONE', errorMessage), errorCode })),
      );
    },
  );
};

function problemOf({ resourceType, configs }: Resource): string | null {
  if (resourceType !== RESOURCE_TOPIC) return 'only topic configs can be changed at run time';
  const unknown = configs.find(({ configOperation }) => OPERATIONS[configOperation] === undefined);
  return unknown === undefined ? null : `unknown config operation ${unknown.configOperation}`;
}

function result(
  { resourceType, resourceName }: Resource,
  error: Parameters<typeof kafkaCode>[0],
  errorMessage: string | null,
): Result {
  return { errorCode: kafkaCode(error), errorMessage, resourceType, resourceName };
}
