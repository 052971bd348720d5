/**
 * The process of one HTTP job: autocannon, or a reader that throws everything away. A process of
 * its own, so that neither waits for the other, nor for what measures them.
 */
import type { FromWorker, ToWorker } from './http-jobs.js';
import { runDrain } from './drain.js';
import { runLoad } from './load.js';

function tell(message: FromWorker): void {
  process.send?.(message);
}

// Whoever asked has its answer, or is gone.
process.once('disconnect', () => process.exit());

const stopping = new AbortController();
const onWindow = (isOpen: boolean): void => tell({ kind: 'window', isOpen });

process.on('message', async (message: ToWorker) => {
  if (message.kind === 'stop') {
    stopping.abort();
    return;
  }
  const parts = { onWindow, stop: stopping.signal };
  const isLoad = message.kind === 'load';
  const result = isLoad ? await runLoad(message, parts) : await runDrain(message, parts);
  tell({ kind: 'result', result });
  process.disconnect();
});
