/**
 * FindCoordinator: the leader of the partition of `__consumer_offsets` that a group hashes to. The
 * topic is made when the first group asks.
 */
import { LograftError } from '../base/errors.js';
import type { BrokerImage } from '../control/image.js';
import { leaderSeenByClients } from '../control/leader-table.js';
import { OFFSETS_TOPIC } from '../base/group.js';
import { coordinatorOf } from '../groups/coordinator-of.js';
import {
  COORDINATOR_GROUP,
  type findCoordinatorApi,
} from '../protocol/messages/find-coordinator.js';
import type { Handler, HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';

const CREATE_MS_MAX = 5_000;

type Found = {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
};

export const findCoordinator: Handler<typeof findCoordinatorApi> = (
  context,
  request,
  info,
  respond,
) => {
  const keys = info.apiVersion >= 4 ? request.coordinatorKeys : [request.key];
  const isGroup = request.keyType === COORDINATOR_GROUP;
  void (isGroup ? ensureOffsetsTopic(context) : Promise.resolve()).then(() => {
    const coordinators = keys.map((key) => ({ key, ...find(context, request.keyType, key) }));
    const [first] = coordinators;
    respond({ ...(first ?? notFound('INVALID_REQUEST', null)), coordinators });
  });
};

export async function ensureOffsetsTopic(
  context: Pick<HandlerContext, 'image' | 'settings' | 'control'>,
): Promise<void> {
  if (context.image().topics.get(OFFSETS_TOPIC)) return;
  const { offsetsPartitions, offsetsReplicationFactor } = context.settings;
  const topic = {
    name: OFFSETS_TOPIC,
    partitions: offsetsPartitions,
    replicationFactor: offsetsReplicationFactor,
    assignments: null,
    configs: {},
  };
  try {
    await context.control(
      { kind: 'createTopics', topics: [topic], isValidateOnly: false },
      CREATE_MS_MAX,
    );
  } catch (error) {
    if (!(error instanceof LograftError)) throw error;
    // Without a controller the answer is "not available", and the client asks again.
  }
}

function find(context: HandlerContext, keyType: number, key: string): Found {
  if (keyType !== COORDINATOR_GROUP) {
    return notFound('INVALID_REQUEST', `coordinators of type ${keyType} are not served yet`);
  }
  const image = context.image();
  const group = coordinatorOf(image.topics, key);
  if (group === null) return notFound('COORDINATOR_NOT_AVAILABLE', null);
  const { topicId, partition } = group;
  const leaderId = leaderSeenByClients(image, context.leaders(), topicId, partition);
  const broker: BrokerImage | undefined = image.brokers.get(leaderId);
  if (broker === undefined) return notFound('COORDINATOR_NOT_AVAILABLE', null);
  const { host, port } = broker.kafka;
  return { nodeId: leaderId, host, port, errorCode: kafkaCode('NONE'), errorMessage: null };
}

function notFound(error: Parameters<typeof kafkaCode>[0], errorMessage: string | null): Found {
  return { nodeId: -1, host: '', port: -1, errorCode: kafkaCode(error), errorMessage };
}
