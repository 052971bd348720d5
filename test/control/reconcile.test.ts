/** What a node does with its folders: create, keep, delete, set aside or wait. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyRecord, type ClusterImage } from '#src/control/image.js';
import { type LocalReplica, reconcile } from '#src/control/reconcile.js';
import { createRecord, directoryOf, idOf, imageWithBrokers } from './fixtures.js';

const A = idOf('id', 1);
const B = idOf('id', 2);
const SELF = { nodeId: 1, directoryId: directoryOf(1) };

function run(image: ClusterImage, local: LocalReplica[], isCurrent = true, self = SELF): string[] {
  return reconcile({ image, self, local, isCurrent, topicIds: null }).map(
    ({ kind, topicId, partition }) => `${kind} ${topicId.slice(0, 3)}-${partition}`,
  );
}

function withOrders(topicId = A): ClusterImage {
  return applyRecord(imageWithBrokers(3), createRecord('orders', topicId, 2, [1, 2, 3]));
}

const ordersOf = (topicId: string, partition: number): LocalReplica => ({
  topicId,
  topic: 'orders',
  partition,
});

test('creates what the image names for this directory, keeps what is there', () => {
  assert.equal(run(withOrders(), []), ['create id1-0', 'create id1-1']);
  assert.equal(run(withOrders(), [ordersOf(A, 0)]), ['create id1-1']);
  assert.equal(run(withOrders(), [ordersOf(A, 0), ordersOf(A, 1)]), []);
});

test('a wiped directory is not the one the image names: nothing is created', () => {
  assert.equal(run(withOrders(), [], true, { nodeId: 1, directoryId: 'wiped' }), []);
});

test('deletes only for a committed deletion of that very topic id (M3)', () => {
  const deleted = applyRecord(withOrders(), { kind: 'delete-topic', topicId: A });
  assert.equal(run(deleted, [ordersOf(A, 0)]), ['delete id1-0']);
  assert.equal(run(deleted, [ordersOf(A, 0)], false), ['delete id1-0']);
  assert.equal(run(imageWithBrokers(3), [ordersOf(A, 0)]), ['stray id1-0']);
  assert.equal(run(imageWithBrokers(3), [ordersOf(A, 0)], false), ['wait id1-0']);
});

test('deleted and created again under the same name while this node was down', () => {
  const deleted = applyRecord(withOrders(), { kind: 'delete-topic', topicId: A });
  const again = applyRecord(deleted, createRecord('orders', B, 1, [1, 2, 3]));
  assert.equal(run(again, [ordersOf(A, 0), ordersOf(A, 1)]), [
    'delete id1-0',
    'delete id1-1',
    'create id2-0',
  ]);
  const forgotten = applyRecord(again, { kind: 'forget-deleted', through: again.appliedOffset });
  assert.equal(run(forgotten, [ordersOf(A, 0)]), ['stray id1-0', 'create id2-0']);
});

test('an image that may be older than the disk creates nothing and sets nothing aside', () => {
  assert.equal(run(withOrders(), [ordersOf(B, 0)], false), ['wait id2-0']);
});

test('a replica that the image gives to others is set aside, not deleted', () => {
  const image = applyRecord(imageWithBrokers(3), createRecord('orders', A, 1, [2, 3]));
  assert.equal(run(image, [ordersOf(A, 0)]), ['stray id1-0']);
  assert.equal(run(image, [ordersOf(A, 7)]), ['stray id1-7']);
});

test('only the topics asked for are looked at', () => {
  const image = applyRecord(withOrders(), createRecord('other', B, 1, [1]));
  const actions = reconcile({
    image,
    self: SELF,
    local: [ordersOf('zzz', 0)],
    isCurrent: true,
    topicIds: new Set([B]),
  });
  assert.equal(
    actions.map(({ kind, topicId }) => [kind, topicId]),
    [['create', B]],
  );
});

test.run();
