/** Every TypeScript target, by the room whose code it tries. */
import fc from 'fast-check';
import { type FuzzTarget, target } from './fuzz-target.js';
import { CODEC_TARGETS } from './targets/codecs.js';
import { CONTROL_TARGETS } from './targets/control.js';
import { GROUP_TARGETS } from './targets/groups.js';
import { HTTP_TARGETS } from './targets/http.js';
import { LOG_TARGETS } from './targets/log-files.js';
import { FOLDER_TARGETS } from './targets/log-folders.js';
import { MODEL_TARGETS } from './targets/models.js';
import { PEER_TARGETS } from './targets/peers.js';
import { PROTOCOL_TARGETS } from './targets/protocol.js';
import { RAFT_TARGETS } from './targets/raft.js';
import { RECORD_TARGETS } from './targets/records.js';
import { SMALL_FILE_TARGETS } from './targets/small-files.js';

export const TARGETS: readonly FuzzTarget[] = [
  ...PROTOCOL_TARGETS,
  ...PEER_TARGETS,
  ...HTTP_TARGETS,
  ...RAFT_TARGETS,
  ...RECORD_TARGETS,
  ...LOG_TARGETS,
  ...FOLDER_TARGETS,
  ...SMALL_FILE_TARGETS,
  ...CONTROL_TARGETS,
  ...CODEC_TARGETS,
  ...GROUP_TARGETS,
  ...MODEL_TARGETS,
];

/** Fails on purpose: the tests look whether it is found. */
export const PLANTED: FuzzTarget = target('planted', () =>
  fc.property(fc.nat(100_000), (value) => {
    if (value >= 1_000) throw new Error('planted');
  }),
);
