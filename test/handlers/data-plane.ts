/**
 * What a client may rely on when it produces, fetches and reads in groups, as one list of tests for
 * any number of shards: a partition may live on the thread of the client's connection or on another
 * one, and nobody can tell.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import type { TestCluster } from '../support/cluster.js';
import { testByteLimits, testLongPolls, testRefusedFetches } from './fetch-plane.js';
import { testGroups } from './group-plane.js';
import { Door, makeBatch } from './kit.js';
import { testOffsets } from './offset-plane.js';
import { ALL, type Plane, openPlane } from './plane.js';
import { testAcks, testProduceOrder, testProducers } from './produce-plane.js';

export async function testDataPlane(cluster: TestCluster): Promise<void> {
  const plane = await openPlane(cluster.bootstrap[0] as string);
  test.after(async () => {
    plane.door.close();
    await cluster.down();
  });
  // First: no coordinator exists yet.
  testGroups(plane);
  testAcks(plane);
  testProduceOrder(plane);
  testProducers(plane);
  testLongPolls(plane);
  testByteLimits(plane);
  testRefusedFetches(plane);
  testOffsets(plane);
  testTopicsThatGo(plane, cluster);
}

function testTopicsThatGo({ door, address, newTopic }: Plane, cluster: TestCluster): void {
  test('requests that wait at a topic are answered when it is deleted', async () => {
    const topic = await newTopic();
    const startMs = performance.now();
    const polls = ALL.map(async (partition) => {
      const own = await Door.open(address);
      const { errorCode } = await own.fetch(topic, { partition, maxWaitMs: 8_000 });
      own.close();
      return errorCode;
    });
    await cluster.mustRun(['topic', 'delete', topic]);
    const gone = [ERROR.NOT_LEADER_OR_FOLLOWER, ERROR.UNKNOWN_TOPIC_OR_PARTITION] as number[];
    for (const errorCode of await Promise.all(polls)) assert.ok(gone.includes(errorCode));
    assert.ok(performance.now() - startMs < 7_000);
    const { errorCode } = await door.produce(topic, 0, makeBatch());
    assert.is(errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  });
}
