/**
 * Which handler decides which API. A new API is a table in `protocol/messages/`, a handler beside
 * this file and a line here.
 */
import { apiVersionsApi } from '../protocol/messages/api-versions.js';
import { createPartitionsApi } from '../protocol/messages/create-partitions.js';
import { createTopicsApi } from '../protocol/messages/create-topics.js';
import { deleteGroupsApi } from '../protocol/messages/delete-groups.js';
import { deleteTopicsApi } from '../protocol/messages/delete-topics.js';
import { describeClusterApi } from '../protocol/messages/describe-cluster.js';
import { describeConfigsApi } from '../protocol/messages/describe-configs.js';
import { describeGroupsApi } from '../protocol/messages/describe-groups.js';
import { fetchApi } from '../protocol/messages/fetch.js';
import { findCoordinatorApi } from '../protocol/messages/find-coordinator.js';
import { heartbeatApi } from '../protocol/messages/heartbeat.js';
import { incrementalAlterConfigsApi } from '../protocol/messages/incremental-alter-configs.js';
import { initProducerIdApi } from '../protocol/messages/init-producer-id.js';
import { joinGroupApi } from '../protocol/messages/join-group.js';
import { leaveGroupApi } from '../protocol/messages/leave-group.js';
import { listGroupsApi } from '../protocol/messages/list-groups.js';
import { listOffsetsApi } from '../protocol/messages/list-offsets.js';
import { lograftAdminApi } from '../protocol/messages/lograft-admin.js';
import { lograftStatusApi } from '../protocol/messages/lograft-status.js';
import { metadataApi } from '../protocol/messages/metadata.js';
import { offsetCommitApi } from '../protocol/messages/offset-commit.js';
import { offsetDeleteApi } from '../protocol/messages/offset-delete.js';
import { offsetFetchApi } from '../protocol/messages/offset-fetch.js';
import { offsetForLeaderEpochApi } from '../protocol/messages/offset-for-leader-epoch.js';
import { produceApi } from '../protocol/messages/produce.js';
import { syncGroupApi } from '../protocol/messages/sync-group.js';
import type { Api } from '../protocol/schema.js';
import { apiVersions } from './api-versions.js';
import type { Handler } from './context.js';
import { createPartitions } from './create-partitions.js';
import { createTopics } from './create-topics.js';
import { deleteGroups } from './delete-groups.js';
import { deleteTopics } from './delete-topics.js';
import { describeCluster } from './describe-cluster.js';
import { describeConfigs } from './describe-configs.js';
import { describeGroups } from './describe-groups.js';
import { fetch } from './fetch.js';
import { findCoordinator } from './find-coordinator.js';
import { heartbeat } from './heartbeat.js';
import { incrementalAlterConfigs } from './incremental-alter-configs.js';
import { initProducerId } from './init-producer-id.js';
import { joinGroup } from './join-group.js';
import { leaveGroup } from './leave-group.js';
import { listGroups } from './list-groups.js';
import { listOffsets } from './list-offsets.js';
import { lograftAdmin, lograftStatus } from './lograft-status.js';
import { metadata } from './metadata.js';
import { offsetCommit } from './offset-commit.js';
import { offsetDelete } from './offset-delete.js';
import { offsetFetch } from './offset-fetch.js';
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.js';
import { produce } from './produce.js';
import { syncGroup } from './sync-group.js';

/** A handler whose message types are forgotten: the table it stands with has checked them. */
export type AnyHandler = Handler<Api>;

export const HANDLERS: ReadonlyMap<number, AnyHandler> = new Map([
  entry(apiVersionsApi, apiVersions),
  entry(createPartitionsApi, createPartitions),
  entry(createTopicsApi, createTopics),
  entry(deleteGroupsApi, deleteGroups),
  entry(deleteTopicsApi, deleteTopics),
  entry(describeClusterApi, describeCluster),
  entry(describeConfigsApi, describeConfigs),
  entry(describeGroupsApi, describeGroups),
  entry(fetchApi, fetch),
  entry(findCoordinatorApi, findCoordinator),
  entry(heartbeatApi, heartbeat),
  entry(incrementalAlterConfigsApi, incrementalAlterConfigs),
  entry(initProducerIdApi, initProducerId),
  entry(joinGroupApi, joinGroup),
  entry(leaveGroupApi, leaveGroup),
  entry(listGroupsApi, listGroups),
  entry(listOffsetsApi, listOffsets),
  entry(lograftAdminApi, lograftAdmin),
  entry(lograftStatusApi, lograftStatus),
  entry(metadataApi, metadata),
  entry(offsetCommitApi, offsetCommit),
  entry(offsetDeleteApi, offsetDelete),
  entry(offsetFetchApi, offsetFetch),
  entry(offsetForLeaderEpochApi, offsetForLeaderEpoch),
  entry(produceApi, produce),
  entry(syncGroupApi, syncGroup),
]);

/** Holds table and handler to the same types, then forgets them. */
function entry<A extends Api>(api: A, handler: Handler<A>): [number, AnyHandler] {
  return [api.key, handler as unknown as AnyHandler];
}
