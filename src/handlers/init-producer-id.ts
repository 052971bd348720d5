/**
 * InitProducerId for idempotent producers (KIP-98): a fresh id, epoch 0, from this broker's block.
 * A producer that asks with an id it has (KIP-360) gets the next epoch of that id.
 */
import { LograftError } from '../base/errors.js';
import type { initProducerIdApi } from '../protocol/messages/init-producer-id.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

const PRODUCER_EPOCH_MAX = 32_766;
const NOBODY = { producerId: -1, producerEpoch: -1 };

export const initProducerId: Handler<typeof initProducerIdApi> = (
  context,
  request,
  _info,
  respond,
) => {
  if (request.transactionalId !== null) {
    // Definite for every client, where COORDINATOR_NOT_AVAILABLE would be retried for ever.
    respond({ errorCode: kafkaCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'), ...NOBODY });
    return;
  }
  const { producerId, producerEpoch } = request;
  if (producerId >= 0 && producerEpoch >= 0 && producerEpoch < PRODUCER_EPOCH_MAX) {
    const answer = { producerId, producerEpoch: producerEpoch + 1 };
    respond({ errorCode: kafkaCode('NONE'), ...answer });
    return;
  }
  context.nextProducerId().then(
    (fresh) => respond({ errorCode: kafkaCode('NONE'), producerId: fresh, producerEpoch: 0 }),
    (error: unknown) => {
      if (!(error instanceof LograftError)) throw error;
      respond({ errorCode: kafkaCode('COORDINATOR_LOAD_IN_PROGRESS'), ...NOBODY });
    },
  );
};
