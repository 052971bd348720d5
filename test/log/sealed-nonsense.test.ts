/**
 * Bytes whose checksum holds and whose content is nonsense all the same: one chance in four billion
 * for rot, a certainty for a bug of another version. They are refused as a whole.
 */
import { decodeCheckpoint, encodeCheckpoint, newState } from '#src/log/replica-state.js';
import { decodeFrame, encodeFrame, sealFrame, type WalFrame } from '#src/log/wal-frame.js';
import { writeInt64 } from '#src/base/int64.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GROUP, TOPIC_ID } from './support.js';

const PLACE = { generation: 1, filePosition: 0, syncedTo: 0 };
const RESET: WalFrame = {
  kind: 'operation',
  group: GROUP,
  sequence: 1,
  op: { kind: 'reset', to: { offset: 5, marks: 1 }, epochs: [] },
};

test('a frame of the write-ahead log is as long as its kind says', () => {
  const bytes = encodeFrame(RESET);
  sealFrame(bytes, 0, PLACE);
  assert.equal(decodeFrame(bytes, 0), RESET);
  const textLength = 22;
  for (const length of [textLength + 8, textLength - 8, 0, 65_535]) {
    const lying = Buffer.from(bytes);
    lying.writeUInt16BE(length, textLength);
    assert.is(decodeFrame(lying, 0), null, `text of ${length} bytes`);
  }
  for (const missing of [8, 16, 24, 40]) {
    const short = Buffer.from(bytes);
    short.writeUInt32BE(bytes.readUInt32BE(4) - missing, 4);
    assert.is(decodeFrame(short, 0), null, `${missing} bytes short`);
  }
});

test('a count of entries that are not there ends with the frame', () => {
  const bytes = encodeFrame(RESET);
  const countAt = bytes.readUInt32BE(4) - 8;
  writeInt64(bytes, 2 ** 50, countAt);
  assert.is(decodeFrame(bytes, 0), null);
});

test('the first line of replica-state is read as strictly as it is written', () => {
  const state = { ...newState(), opSequence: 7 };
  const bytes = encodeCheckpoint({ topicId: TOPIC_ID, state, segments: [], closed: null });
  assert.is(decodeCheckpoint(bytes)?.state.opSequence, 7);
  const lines = ['1 00000000 0', '1 00000000 1.5', '1 00000000 ', '1  0', '01 0 0', '1 zz -1'];
  for (const line of [...lines, '1 00000000 1e3', '1 00000000 Infinity']) {
    const rotten = Buffer.from(`lograft-replica-state ${line}\n{}\n\n`);
    assert.is(decodeCheckpoint(rotten), null, line);
  }
});

test.run();
