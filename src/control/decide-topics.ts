/**
 * What the controller decides about topics: names, placement, limits, in Kafka's order of checks
 * and with its error names. Pure: a draft over an image in, records in the draft and one result per
 * topic out.
 */
import type { VoterId } from '../base/group.js';
import type { NodeId, TopicId } from '../base/units.js';
import type { Draft } from './draft.js';
import type { ClusterImage, TopicImage } from './image.js';
import { VoterTable } from './image-codec.js';
import { CLUSTER_PARTITIONS_MAX, TOPIC_PARTITIONS_MAX } from './limits.js';
import type {
  AlterConfigsOp,
  CreatedTopic,
  CreatePartitionsOp,
  CreateTopicsOp,
  DeletedTopicResult,
  DeleteTopicsOp,
  NamedOutcome,
  NewTopic,
  Refusal,
  TopicRef,
} from './operations.js';
import { isRefusal, type Placement, placePartitions } from './placement.js';
import { changeConfigs, refuseConfigs, type TopicDefaults } from './topic-config.js';
import { refuseCollision, refuseTopicName } from './topic-name.js';

export type TopicDecisionContext = {
  /** What -1 stands for (`num.partitions`, `default.replication.factor`). */
  readonly partitionsDefault: number;
  readonly replicationFactorDefault: number;
  readonly topicDefaults: TopicDefaults;
  readonly newTopicId: () => TopicId;
};

type Assignments = readonly (readonly NodeId[])[] | null;

const UNKNOWN_TOPIC: Refusal = {
  error: 'UNKNOWN_TOPIC_OR_PARTITION',
  message: 'This server does not host this topic-partition.',
};

/** One result per distinct name, in the order of first appearance. */
export function decideCreateTopics(
  draft: Draft,
  op: CreateTopicsOp,
  context: TopicDecisionContext,
): CreatedTopic[] {
  const counts = countNames(op.topics);
  const distinct = new Map(op.topics.map((topic) => [topic.name, topic]));
  return [...distinct.values()].map((topic) => {
    if (counts.get(topic.name) !== 1) return refusedTopic(topic.name, duplicateName());
    const outcome = createOne(draft, topic, context);
    if ('error' in outcome) return refusedTopic(topic.name, outcome);
    const { topicId, placement } = outcome;
    return {
      name: topic.name,
      error: null,
      message: null,
      topicId: op.isValidateOnly ? null : topicId,
      partitions: placement.length,
      replicationFactor: placement[0]?.length ?? -1,
    };
  });
}

export function decideDeleteTopics(draft: Draft, op: DeleteTopicsOp): DeletedTopicResult[] {
  return op.topics.map((ref) => {
    const topic = findTopic(draft.image, ref);
    const asked = { name: null, topicId: null, ...ref };
    if (topic === undefined) return { ...asked, ...unknownTopic(ref) };
    const refusal = topic.isInternal
      ? { error: 'INVALID_REQUEST' as const, message: `Topic '${topic.name}' is internal.` }
      : draft.add({ kind: 'delete-topic', topicId: topic.topicId });
    if (refusal !== null) return { ...asked, ...refusal };
    return { name: topic.name, topicId: topic.topicId, error: null, message: null };
  });
}

export function decideCreatePartitions(draft: Draft, op: CreatePartitionsOp): NamedOutcome[] {
  const counts = countNames(op.topics);
  return op.topics.map(({ name, count, assignments }) => {
    const refusal =
      counts.get(name) === 1 ? addPartitions(draft, name, count, assignments) : duplicateName();
    return named(name, refusal);
  });
}

export function decideAlterConfigs(
  draft: Draft,
  op: AlterConfigsOp,
  context: TopicDecisionContext,
): NamedOutcome[] {
  return op.topics.map(({ name, changes }) => {
    const topic = draft.image.topics.get(name);
    if (topic === undefined) return named(name, UNKNOWN_TOPIC);
    const changed = changeConfigs(topic.configs, changes, context.topicDefaults);
    if ('error' in changed) return named(name, changed);
    const { topicId } = topic;
    return named(name, draft.add({ kind: 'topic-configs', topicId, configs: changed.configs }));
  });
}

type Created = { readonly topicId: TopicId; readonly placement: Placement };

function createOne(
  draft: Draft,
  topic: NewTopic,
  context: TopicDecisionContext,
): Created | Refusal {
  const { image } = draft;
  const { name, configs } = topic;
  const refusal =
    refuseTopicName(name) ??
    refuseExisting(image, name) ??
    refuseCollision(image.foldedNames, name) ??
    refuseConfigs(configs);
  if (refusal !== null) return refusal;
  const placement = placeNew(image, topic, context);
  if (isRefusal(placement)) return placement;
  const topicId = context.newTopicId();
  const { voters, partitions } = indexed(placement);
  return (
    draft.add({ kind: 'create-topic', name, topicId, configs, voters, partitions }) ?? {
      topicId,
      placement,
    }
  );
}

function refuseExisting(image: ClusterImage, name: string): Refusal | null {
  if (!image.topics.has(name)) return null;
  return { error: 'TOPIC_ALREADY_EXISTS', message: `Topic '${name}' already exists.` };
}

function placeNew(
  image: ClusterImage,
  topic: NewTopic,
  context: TopicDecisionContext,
): Placement | Refusal {
  if (topic.assignments !== null) return placeAsAssigned(image, topic, topic.assignments);
  const partitions = topic.partitions === -1 ? context.partitionsDefault : topic.partitions;
  const replicationFactor =
    topic.replicationFactor === -1 ? context.replicationFactorDefault : topic.replicationFactor;
  if (partitions < 1) {
    const message = 'Number of partitions was set to an invalid non-positive value.';
    return { error: 'INVALID_PARTITIONS', message };
  }
  if (replicationFactor < 1) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.';
    return { error: 'INVALID_REPLICATION_FACTOR', message };
  }
  return (
    refusePartitionCount(image, partitions, partitions) ??
    place(image, [], partitions, replicationFactor)
  );
}

function placeAsAssigned(
  image: ClusterImage,
  topic: NewTopic,
  assignments: readonly (readonly NodeId[])[],
): Placement | Refusal {
  const both = (what: string): Refusal => ({
    error: 'INVALID_REQUEST',
    message: `A manual partition assignment was specified, but ${what} was not set to -1.`,
  });
  if (topic.partitions !== -1) return both('numPartitions');
  if (topic.replicationFactor !== -1) return both('replication factor');
  if (assignments.length === 0) {
    return badAssignment('The manual partition assignment includes no partitions.');
  }
  const { length } = assignments;
  return refusePartitionCount(image, length, length) ?? resolve(image, assignments, null);
}

function addPartitions(
  draft: Draft,
  name: string,
  count: number,
  assignments: Assignments,
): Refusal | null {
  const { image } = draft;
  const topic = image.topics.get(name);
  if (topic === undefined) return UNKNOWN_TOPIC;
  const { topicId } = topic;
  const have = topic.partitions.length;
  const added = count - have;
  if (added <= 0) return notAnIncrease(name, have, count);
  const tooMany = refusePartitionCount(image, count, added);
  if (tooMany !== null) return tooMany;
  const existing = topic.partitions.map(({ replicas }) => replicas);
  const replicationFactor = existing[0]?.length ?? 1;
  if (assignments !== null && assignments.length !== added) {
    return badAssignment(
      `Attempted to add ${added} additional partition(s), but only ${assignments.length} ` +
        'assignment(s) were specified.',
    );
  }
  const placement =
    assignments === null
      ? place(image, existing, added, replicationFactor)
      : resolve(image, assignments, replicationFactor);
  if (isRefusal(placement)) return placement;
  return draft.add({
    kind: 'add-partitions',
    topicId,
    firstPartition: have,
    ...indexed(placement),
  });
}

function place(
  image: ClusterImage,
  existing: readonly (readonly VoterId[])[],
  partitions: number,
  replicationFactor: number,
): Placement | Refusal {
  const brokers = [...image.brokers.values()];
  const { loads } = image;
  return placePartitions({ brokers, loads, existing, partitions, replicationFactor });
}

/** Node ids of a manual assignment as voters; `replicationFactor` null takes the first list's. */
function resolve(
  image: ClusterImage,
  assignments: readonly (readonly NodeId[])[],
  replicationFactor: number | null,
): Placement | Refusal {
  const expected = replicationFactor ?? assignments[0]?.length ?? 0;
  const placement: VoterId[][] = [];
  for (const nodeIds of assignments) {
    const problem = assignmentProblem(image, nodeIds, expected);
    if (problem !== null)
      return badAssignment(`The manual partition assignment includes ${problem}`);
    placement.push(
      nodeIds.map((nodeId) => ({
        nodeId,
        directoryId: image.brokers.get(nodeId)?.directoryId as string,
      })),
    );
  }
  return placement;
}

function assignmentProblem(
  image: ClusterImage,
  nodeIds: readonly NodeId[],
  expected: number,
): string | null {
  if (nodeIds.length === 0) return 'an empty replica list.';
  const unknown = nodeIds.find((nodeId) => !image.brokers.has(nodeId));
  if (unknown !== undefined) return `broker ${unknown}, but no such broker is registered.`;
  const twice = nodeIds.find((nodeId, i) => nodeIds.indexOf(nodeId) !== i);
  if (twice !== undefined) return `the broker ${twice} more than once.`;
  if (nodeIds.length === expected) return null;
  return (
    `a partition with ${nodeIds.length} replica(s), but this is not consistent with previous ` +
    `partitions, which have ${expected} replica(s).`
  );
}

function refusePartitionCount(image: ClusterImage, total: number, added: number): Refusal | null {
  if (total > TOPIC_PARTITIONS_MAX) {
    const message = `A topic may have at most ${TOPIC_PARTITIONS_MAX} partitions.`;
    return { error: 'INVALID_PARTITIONS', message };
  }
  if (image.partitionCount + added > CLUSTER_PARTITIONS_MAX) {
    const message = `A cluster may have at most ${CLUSTER_PARTITIONS_MAX} partitions.`;
    return { error: 'POLICY_VIOLATION', message };
  }
  return null;
}

function notAnIncrease(name: string, have: number, count: number): Refusal {
  const message =
    count === have
      ? `Topic already has ${have} partition(s).`
      : `The topic ${name} currently has ${have} partition(s); ${count} would not be an increase.`;
  return { error: 'INVALID_PARTITIONS', message };
}

function indexed(placement: Placement): { voters: VoterId[]; partitions: number[][] } {
  const table = new VoterTable();
  const partitions = placement.map((voters) => voters.map((voter) => table.indexOf(voter)));
  return { voters: table.list, partitions };
}

function findTopic(image: ClusterImage, ref: TopicRef): TopicImage | undefined {
  return 'name' in ref ? image.topics.get(ref.name) : image.topicsById.get(ref.topicId);
}

function unknownTopic(ref: TopicRef): Refusal {
  if ('name' in ref) return UNKNOWN_TOPIC;
  return { error: 'UNKNOWN_TOPIC_ID', message: 'This server does not host this topic ID.' };
}

function badAssignment(message: string): Refusal {
  return { error: 'INVALID_REPLICA_ASSIGNMENT', message };
}

function duplicateName(): Refusal {
  return { error: 'INVALID_REQUEST', message: 'Duplicate topic name.' };
}

function refusedTopic(name: string, { error, message }: Refusal): CreatedTopic {
  return { name, error, message, topicId: null, partitions: -1, replicationFactor: -1 };
}

function named(name: string, refusal: Refusal | null): NamedOutcome {
  return { name, error: refusal?.error ?? null, message: refusal?.message ?? null };
}

function countNames(topics: readonly { readonly name: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name } of topics) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
