/** Topics and partitions as a URL names them, and what to say when there are none. */
import type { GroupKey } from '../../base/group.js';
import type { TopicImage } from '../../control/image.js';
import type { HttpContext } from './context.js';
import { badRequest, Problem } from './problem.js';

/** Throws Problem 404; 503 while this node does not know the cluster yet. */
export function topicNamed(context: HttpContext, name: string): TopicImage {
  const topic = context.image().topics.get(name);
  if (topic !== undefined) return topic;
  if (!context.isCurrent()) {
    throw new Problem(503, 'STARTING', 'this node is starting and does not know the topics yet');
  }
  const shown = JSON.stringify(name.slice(0, 249));
  throw new Problem(
    404,
    'UNKNOWN_TOPIC',
    `there is no topic ${shown}: create it with POST /topics, or list them with GET /topics`,
  );
}

export function partitionOf(topic: TopicImage, partition: number): GroupKey {
  const count = topic.partitions.length;
  if (Number.isSafeInteger(partition) && partition >= 0 && partition < count) {
    return { topicId: topic.topicId, partition };
  }
  throw new Problem(
    404,
    'UNKNOWN_PARTITION',
    `topic ${topic.name} has partitions 0 to ${count - 1}, not ${partition}`,
  );
}

/** Clients write to a coordinator's topic through its own requests only. */
export function writable(topic: TopicImage): TopicImage {
  if (topic.isInternal) throw badRequest(`${topic.name} is internal: only the brokers write to it`);
  return topic;
}
