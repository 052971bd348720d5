/** Who tells whom that a disk has no room, and what a node believes of a peer that is gone. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NodeId } from '#src/base/units.js';
import { DiskRoom, type DiskRoomMessage } from '#src/broker/disk-room.js';

const MIN_BYTES = 100;

class Rig {
  nowMs = 0;
  freeBytes = 1_000;
  hasLink = true;
  readonly said: [NodeId, boolean][] = [];
  readonly told: (readonly NodeId[])[] = [];
  readonly room = new DiskRoom({
    self: 1,
    clock: { monotonicMs: () => this.nowMs, wallMs: () => 0 },
    nodeIds: [1, 2, 3],
    freeBytesMin: MIN_BYTES,
    freeBytes: () => this.freeBytes,
    send: (to: NodeId, { isLow }: DiskRoomMessage) => {
      if (this.hasLink) this.said.push([to, isLow]);
      return this.hasLink;
    },
    onChange: (low) => this.told.push(low),
  });

  look(): void {
    this.nowMs += 1_000;
    this.room.tick();
  }
}

test('peers hear when the room is gone and when it is back, once each', () => {
  const rig = new Rig();
  rig.look();
  assert.equal(rig.said, []);
  rig.freeBytes = MIN_BYTES - 1;
  rig.look();
  rig.look();
  rig.freeBytes = MIN_BYTES;
  rig.look();
  assert.equal(rig.said, [
    [2, true],
    [3, true],
    [2, false],
    [3, false],
  ]);
  assert.equal(rig.told, [[1], []]);
});

test('who could not be told is told later, and so is a new link', () => {
  const rig = new Rig();
  rig.hasLink = false;
  rig.freeBytes = 0;
  rig.look();
  rig.hasLink = true;
  rig.look();
  rig.room.onLinkDown(2);
  rig.room.onLinkUp(2);
  rig.look();
  assert.equal(rig.said, [
    [2, true],
    [3, true],
    [2, true],
  ]);
});

test('a peer without room is known until it has some, or its link is gone', () => {
  const rig = new Rig();
  rig.room.onMessage(2, { kind: 'disk-room', isLow: true });
  rig.room.onMessage(3, { kind: 'disk-room', isLow: true });
  assert.equal([rig.room.isLow(2), rig.room.isLow(3)], [true, true]);
  rig.room.onMessage(2, { kind: 'disk-room', isLow: false });
  rig.room.onLinkDown(3);
  assert.equal([rig.room.isLow(2), rig.room.isLow(3)], [false, false]);
  assert.equal(rig.told, [[2], [2, 3], [3], []]);
});

test.run();
