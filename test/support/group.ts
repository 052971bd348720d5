/** What conformance tests ask about consumer groups, through this project's own protocol tables. */
import { ERROR } from '#src/protocol/errors.js';
import { findCoordinatorApi } from '#src/protocol/messages/find-coordinator.js';
import { offsetFetchApi } from '#src/protocol/messages/offset-fetch.js';
import { KafkaClient, parseAddress } from './kafka-client.js';
import { KafkaConnection } from './kafka-connection.js';
import { waitFor } from './wait-for.js';

const FIND_COORDINATOR_VERSION = 2;
const OFFSET_FETCH_VERSION = 5;
const GROUP_KEY_TYPE = 0;

/** Node id of the group's coordinator; asks until there is one. */
export async function coordinatorOf(bootstrap: readonly string[], group: string): Promise<number> {
  return waitFor(`a coordinator of ${group}`, async () => {
    for (const address of bootstrap) {
      const answer = await ask(address, group).catch(() => null);
      if (answer !== null && answer.errorCode === ERROR.NONE) return answer.nodeId;
    }
    return null;
  });
}

async function ask(bootstrap: string, group: string) {
  const connection = await KafkaConnection.open(parseAddress(bootstrap), 'test', 1_000);
  try {
    const body = { key: group, keyType: GROUP_KEY_TYPE };
    return await connection.request(findCoordinatorApi, FIND_COORDINATOR_VERSION, body, 2_000);
  } finally {
    connection.close();
  }
}

/**
 * Records between what the group committed and the high watermarks, over all partitions of the
 * topic; a partition without a commit counts as a whole.
 */
export async function lagOf(
  bootstrap: readonly string[],
  group: string,
  topic: string,
): Promise<number> {
  const client = new KafkaClient(bootstrap, [topic], 'lag');
  try {
    await client.refresh();
    const partitions = client.partitions.map((key) => Number(key.slice(key.lastIndexOf(':') + 1)));
    const coordinator = await coordinatorOf(bootstrap, group);
    const connection = await client.connectionTo(coordinator);
    const topics = [{ name: topic, partitionIndexes: partitions }];
    const body = { groupId: group, topics };
    const answer = await connection.request(offsetFetchApi, OFFSET_FETCH_VERSION, body);
    if (answer.errorCode !== ERROR.NONE) throw new Error(`OffsetFetch: error ${answer.errorCode}`);
    let lag = 0;
    for (const { partitionIndex, committedOffset } of answer.topics[0]?.partitions ?? []) {
      const end = await client.latestOffset(topic, partitionIndex);
      lag += end - Math.max(0, committedOffset);
    }
    return lag;
  } finally {
    await client.close();
  }
}
