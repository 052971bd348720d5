/**
 * The registry of APIs: every table by its key, and what ApiVersions tells a client. Promise: what
 * is advertised has a handler; a table without one is here for decoding only. Pure; any thread.
 */
import { alterConfigsApi } from './messages/alter-configs.js';
import { apiVersionsApi } from './messages/api-versions.js';
import { createPartitionsApi } from './messages/create-partitions.js';
import { createTopicsApi } from './messages/create-topics.js';
import { deleteGroupsApi } from './messages/delete-groups.js';
import { deleteRecordsApi } from './messages/delete-records.js';
import { deleteTopicsApi } from './messages/delete-topics.js';
import { describeClusterApi } from './messages/describe-cluster.js';
import { describeConfigsApi } from './messages/describe-configs.js';
import { describeGroupsApi } from './messages/describe-groups.js';
import { describeLogDirsApi } from './messages/describe-log-dirs.js';
import { fetchApi } from './messages/fetch.js';
import { findCoordinatorApi } from './messages/find-coordinator.js';
import { heartbeatApi } from './messages/heartbeat.js';
import { incrementalAlterConfigsApi } from './messages/incremental-alter-configs.js';
import { initProducerIdApi } from './messages/init-producer-id.js';
import { joinGroupApi } from './messages/join-group.js';
import { leaveGroupApi } from './messages/leave-group.js';
import { listGroupsApi } from './messages/list-groups.js';
import { listOffsetsApi } from './messages/list-offsets.js';
import { lograftAdminApi } from './messages/lograft-admin.js';
import { lograftStatusApi } from './messages/lograft-status.js';
import { metadataApi } from './messages/metadata.js';
import { offsetCommitApi } from './messages/offset-commit.js';
import { offsetDeleteApi } from './messages/offset-delete.js';
import { offsetFetchApi } from './messages/offset-fetch.js';
import { offsetForLeaderEpochApi } from './messages/offset-for-leader-epoch.js';
import { produceApi } from './messages/produce.js';
import { saslAuthenticateApi } from './messages/sasl-authenticate.js';
import { saslHandshakeApi } from './messages/sasl-handshake.js';
import { syncGroupApi } from './messages/sync-group.js';
import type { Api } from './schema.js';
import { isIn } from './schema.js';

const ALL: readonly Api[] = [
  alterConfigsApi,
  apiVersionsApi,
  createPartitionsApi,
  createTopicsApi,
  deleteGroupsApi,
  deleteRecordsApi,
  deleteTopicsApi,
  describeClusterApi,
  describeConfigsApi,
  describeGroupsApi,
  describeLogDirsApi,
  fetchApi,
  findCoordinatorApi,
  heartbeatApi,
  incrementalAlterConfigsApi,
  initProducerIdApi,
  joinGroupApi,
  leaveGroupApi,
  listGroupsApi,
  listOffsetsApi,
  lograftAdminApi,
  lograftStatusApi,
  metadataApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
  offsetForLeaderEpochApi,
  produceApi,
  saslAuthenticateApi,
  saslHandshakeApi,
  syncGroupApi,
];

export const API_BY_KEY: ReadonlyMap<number, Api> = new Map(ALL.map((api) => [api.key, api]));

const INDEXES: ReadonlyMap<Api, number> = new Map(ALL.map((api, i) => [api, i]));

/** All APIs by name, in the order of {@link apiIndex}. */
export const API_NAMES: readonly string[] = ALL.map(({ name }) => name);

/** A small number for tables that have a row for each API. */
export function apiIndex(api: Api): number {
  return INDEXES.get(api) as number;
}

const ADVERTISED = ALL.filter((api) => api.isServed && !api.isPrivate).sort(
  (a, b) => a.key - b.key,
);

/** What ApiVersions lists, in the order of keys. */
export function advertisedApis(): readonly Api[] {
  return ADVERTISED;
}

/** Whether a request of this version can be decoded and has a handler. */
export function isServed(api: Api, apiVersion: number): boolean {
  return api.isServed && isIn(api.request.versions, apiVersion);
}
