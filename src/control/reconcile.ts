/**
 * What this node must do so that its replicas match the image. Pure. The rule (invariant M3):
 * create only what the image names for this node's directory, delete only what a committed deletion
 * of that topic id says; what the image does not know is never deleted, only moved aside, and not
 * even that before the image is current.
 *
 *   folder's topic id is …          then
 *   in the image, names us          keep
 *   in the image, names others      stray (moving replicas away comes with the membership issue)
 *   in the deleted topics           delete
 *   in neither, image not current   wait: the image may be older than the folder
 *   in neither, image current       stray: aside, shown in status, never deleted by guess
 *
 * Replicas are created only from a current image too: an older one may name a topic that this node
 * has already deleted before its restart, and an empty replica of it would have forgotten its
 * votes. A re-created topic has another id, so its old folder is deleted (or stray) and its new one
 * created; deletions and strays come first in the list because both want the same folder name.
 */
import type { VoterId } from '../base/group.js';
import { isSameVoter } from '../base/group.js';
import type { TopicId } from '../base/units.js';
import type { ClusterImage, TopicImage } from './image.js';

/** A replica that has a folder on this node, whether it is open or not. */
export type LocalReplica = {
  readonly topicId: TopicId;
  /** Name in the folder's name. */
  readonly topic: string;
  readonly partition: number;
};

export type ReconcileAction =
  | ({ readonly kind: 'delete' | 'stray' | 'wait' } & LocalReplica)
  | ({ readonly kind: 'create'; readonly voters: readonly VoterId[] } & LocalReplica);

export type ReconcileInput = {
  readonly image: ClusterImage;
  readonly self: VoterId;
  readonly local: readonly LocalReplica[];
  /** The image holds this process's own registration, so it is newer than any folder here. */
  readonly isCurrent: boolean;
  /** Only these topics are looked at; null for all. */
  readonly topicIds: ReadonlySet<TopicId> | null;
};

export function reconcile(input: ReconcileInput): ReconcileAction[] {
  const { local, topicIds } = input;
  const looked = topicIds === null ? local : local.filter((r) => topicIds.has(r.topicId));
  const have = new Set<string>();
  const actions: ReconcileAction[] = [];
  for (const replica of looked) {
    const fate = fateOf(replica, input);
    if (fate === 'keep') have.add(`${replica.topicId}:${replica.partition}`);
    else actions.push({ ...replica, kind: fate });
  }
  if (!input.isCurrent) return actions;
  for (const topic of namedTopics(input)) actions.push(...missingOf(topic, input.self, have));
  return actions;
}

type Fate = 'keep' | 'delete' | 'stray' | 'wait';

function fateOf(replica: LocalReplica, { image, self, isCurrent }: ReconcileInput): Fate {
  const topic = image.topicsById.get(replica.topicId);
  if (topic === undefined) {
    if (image.deletedTopics.has(replica.topicId)) return 'delete';
    return isCurrent ? 'stray' : 'wait';
  }
  const wish = topic.partitions[replica.partition];
  if (wish?.replicas.some((voter) => isSameVoter(voter, self)) === true) return 'keep';
  return isCurrent ? 'stray' : 'wait';
}

function* namedTopics({ image, topicIds }: ReconcileInput): Generator<TopicImage> {
  if (topicIds === null) {
    yield* image.topicsById.values();
    return;
  }
  for (const topicId of topicIds) {
    const topic = image.topicsById.get(topicId);
    if (topic !== undefined) yield topic;
  }
}

function* missingOf(
  { topicId, name, partitions }: TopicImage,
  self: VoterId,
  have: ReadonlySet<string>,
): Generator<ReconcileAction> {
  for (const { partition, replicas } of partitions) {
    if (have.has(`${topicId}:${partition}`)) continue;
    if (!replicas.some((voter) => isSameVoter(voter, self))) continue;
    yield { kind: 'create', topicId, topic: name, partition, voters: replicas };
  }
}
