/**
 * The controller's decisions: an operation and the newest image in, one batch of records and the
 * answer out. Pure but for the topic ids it is given. The answer of an operation that a blind retry
 * would get wrong ("already exists" for one's own topic) is committed with it.
 */
import { Packr } from 'msgpackr';
import { assert, unreachable } from '../base/assert.js';
import type { Mutant } from '../base/mutant.js';
import {
  decideAlterConfigs,
  decideCreatePartitions,
  decideCreateTopics,
  decideDeleteTopics,
  type TopicDecisionContext,
} from './decide-topics.js';
import { Draft } from './draft.js';
import { type ClusterImage, rememberedOutcome } from './image.js';
import { PRODUCER_IDS_PER_BLOCK } from './limits.js';
import type {
  AllocateProducerIdsOp,
  ControlOp,
  ControlResults,
  Refusal,
  RegisterBrokerOp,
} from './operations.js';

export type Decision = {
  /** Encoded records of the batch; empty when nothing changes. */
  readonly values: readonly Uint8Array[];
  /** The image once the batch is committed. */
  readonly image: ClusterImage;
  /** `ControlResults[op.kind]` */
  readonly value: unknown;
};

const packr = new Packr({ useRecords: false });

export function decide(
  image: ClusterImage,
  requestId: string,
  op: ControlOp,
  context: TopicDecisionContext,
  mutant?: Mutant,
): Decision {
  const remembered = rememberedOutcome(image, requestId);
  if (remembered !== undefined) return { values: [], image, value: packr.unpack(remembered) };
  const draft = new Draft(image);
  const value = decideInto(draft, op, context);
  const isDry = 'isValidateOnly' in op && op.isValidateOnly;
  if (isDry || draft.values.length === 0) return { values: [], image, value };
  const isForgotten = mutant === 'outcome-not-remembered';
  if (isWrongOnRetry(op) && !isForgotten) draft.addOutcome(requestId, packr.pack(value));
  return { values: draft.values, image: draft.image, value };
}

function decideInto(
  draft: Draft,
  op: ControlOp,
  context: TopicDecisionContext,
): ControlResults[ControlOp['kind']] {
  switch (op.kind) {
    case 'createTopics':
      return decideCreateTopics(draft, op, context);
    case 'deleteTopics':
      return decideDeleteTopics(draft, op);
    case 'createPartitions':
      return decideCreatePartitions(draft, op);
    case 'alterConfigs':
      return decideAlterConfigs(draft, op, context);
    case 'registerBroker':
      return decideRegisterBroker(draft, op);
    case 'allocateProducerIds':
      return decideProducerIds(draft, op);
    default:
      return unreachable(op);
  }
}

/** Registering again is idempotent, and a second block of producer ids only wastes the first. */
function isWrongOnRetry({ kind }: ControlOp): boolean {
  return kind !== 'registerBroker' && kind !== 'allocateProducerIds';
}

/**
 * A node id belongs to the directory that registered first: replicas and votes name both. Another
 * directory is a stranger (a wiped disk, or a second node with the same id); the same directory may
 * come back as a new process at any time, because its lock lets only one run.
 */
function decideRegisterBroker(
  draft: Draft,
  op: RegisterBrokerOp,
): ControlResults['registerBroker'] {
  const known = draft.image.brokers.get(op.nodeId);
  if (known !== undefined && known.directoryId !== op.directoryId) {
    return {
      error: 'DUPLICATE_BROKER_REGISTRATION',
      message:
        `Node ${op.nodeId} is registered with directory ${known.directoryId}, ` +
        `directory ${op.directoryId} is a stranger.`,
      isStranger: true,
    };
  }
  if (known === undefined || known.incarnation !== op.incarnation) {
    const { kind: _kind, ...fields } = op;
    mustFit(draft.add({ kind: 'register-broker', ...fields }));
  }
  return { error: null, message: null, isStranger: false };
}

function decideProducerIds(
  draft: Draft,
  { nodeId }: AllocateProducerIdsOp,
): ControlResults['allocateProducerIds'] {
  const firstProducerId = draft.image.nextProducerId;
  const count = PRODUCER_IDS_PER_BLOCK;
  mustFit(draft.add({ kind: 'producer-id-block', nodeId, firstProducerId, count }));
  return { error: null, message: null, firstProducerId, count };
}

/** A single small record always fits in a batch. */
function mustFit(refusal: Refusal | null): void {
  assert(refusal === null, 'a single record fits in a batch');
}
