/**
 * Whether a value that came over a peer link is a control message: every field that the control
 * plane will look at, to the last level. What is not is ignored by the caller, like a message that
 * was lost; a malformed one must never throw on the main thread. Pure.
 *
 * The value of an answer is not looked at: only an answer to a request of this very process, named
 * by a random id, is read at all.
 */
import {
  type Check,
  isText,
  isFlag,
  isInteger,
  isCount,
  isAnything,
  orNull,
  listOf,
  mapOf,
  shape,
  oneOf,
} from '../base/checks.js';
import type { ControlMessage } from './messages.js';
import type { ControlOp } from './operations.js';

const endpoint = shape({ host: isText, port: isCount });
const assignments = orNull(listOf(listOf(isInteger)));
const newTopic = shape({
  name: isText,
  partitions: isInteger,
  replicationFactor: isInteger,
  assignments,
  configs: mapOf(isText),
});
const configChange = shape({
  name: isText,
  operation: (value) => ['set', 'delete', 'append', 'subtract'].includes(value as string),
  value: orNull(isText),
});

const op = oneOf({
  createTopics: shape({ topics: listOf(newTopic), isValidateOnly: isFlag }),
  deleteTopics: shape({
    topics: listOf((topic) => shape({ name: isText })(topic) || shape({ topicId: isText })(topic)),
  }),
  createPartitions: shape({
    topics: listOf(shape({ name: isText, count: isInteger, assignments })),
    isValidateOnly: isFlag,
  }),
  alterConfigs: shape({
    topics: listOf(shape({ name: isText, changes: listOf(configChange) })),
    isValidateOnly: isFlag,
  }),
  registerBroker: shape({
    nodeId: isCount,
    directoryId: isText,
    incarnation: isText,
    kafka: endpoint,
    peer: endpoint,
    rack: orNull(isText),
    shards: isCount,
  }),
  allocateProducerIds: shape({ nodeId: isCount }),
} satisfies Record<ControlOp['kind'], Check>);

const answer = oneOf({
  done: shape({ offset: isCount, value: isAnything }),
  'not-controller': shape({ leaderId: isInteger }),
  busy: isAnything,
});

const leaderEntry = shape({
  topicId: isText,
  partition: isCount,
  leaderId: isInteger,
  leaderEpoch: isInteger,
  inSync: listOf(isInteger),
  version: isInteger,
});

const message = oneOf({
  request: shape({ requestId: isText, op }),
  response: shape({ requestId: isText, answer }),
  heartbeat: shape({
    nodeId: isCount,
    directoryId: isText,
    incarnation: isText,
    appliedOffset: isCount,
    reconciledOffset: isCount,
    isReady: isFlag,
  }),
  leaders: shape({ entries: listOf(leaderEntry) }),
  settle: shape({ id: isCount, offset: isCount, topicIds: listOf(isText) }),
  settled: shape({ id: isCount }),
} satisfies Record<ControlMessage['kind'], Check>);

/** False for kinds that only a newer version knows, too. */
export function isControlMessage(value: unknown): value is ControlMessage {
  return message(value);
}
