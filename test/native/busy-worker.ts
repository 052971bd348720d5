/**
 * A thread with everything open: listener, connections that echo without end, and a sync thread
 * that is never idle. Started by workers.test.ts as a worker, or as a process that exits at work.
 */
import { SocketLayer } from '#src/native/sockets.js';
import { SyncThread } from '#src/native/sync-thread.js';
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, threadId, workerData } from 'node:worker_threads';

type Task = { readonly directory: string; readonly end: 'wait' | 'return' | 'throw' | 'exit' };

const task: Task = isMainThread
  ? { directory: process.argv[2] as string, end: 'exit' }
  : (workerData as Task);
const fd = openSync(join(task.directory, `busy-${threadId}`), 'w');
const sync = new SyncThread();
let frames = 0;

const layer = new SocketLayer({
  frameBytesMax: 1 << 20,
  outboundBytesMax: 1 << 20,
  handler: {
    onFrame(connId, bytes, start, length) {
      frames++;
      if (frames === 500) reportBusy();
      if (frames > 500 && task.end === 'throw') throw new Error('planted in a handler');
      layer.write(connId, bytes, start - 4, start + length);
    },
    onTurnEnd() {
      writeSync(fd, 'x');
      // A waiting sync keeps its thread alive, so who wants to return asks for none.
      const isReturning = task.end === 'return' && frames >= 500;
      if (sync.pending < 100 && !isReturning) sync.sync(fd, () => undefined);
    },
    onOpened(connId) {
      layer.write(connId, Buffer.from([0, 0, 0, 1, 0x78]));
    },
    onAccepted: () => undefined,
    onClosed: () => undefined,
    onDrained: () => undefined,
  },
});

function reportBusy(): void {
  if (task.end === 'exit') process.exit(7);
  if (task.end === 'return') layer.unref();
  parentPort?.postMessage('busy');
}

const { port } = layer.listen('127.0.0.1', 0, 'frames');
for (let i = 0; i < 10; i++) layer.connect('127.0.0.1', port);
