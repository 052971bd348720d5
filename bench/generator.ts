/**
 * Entry of the generator process: one job, one result, end. A process of its own shares neither a
 * loop nor a heap with whoever watches the brokers. It dies with the process that started it.
 */
import { runConsume } from './consume-job.js';
import { runFailover } from './failover-job.js';
import type { FromGenerator, Job, JobEvents, JobResult, ToGenerator } from './jobs.js';
import { runProduce } from './produce-job.js';

let sayKilled: () => void = () => undefined;
const killed = new Promise<void>((resolve) => {
  sayKilled = resolve;
});

function runJob(job: Job, events: JobEvents): Promise<JobResult> {
  switch (job.kind) {
    case 'produce':
      return runProduce(job, events);
    case 'consume':
      return runConsume(job, events);
    case 'failover':
      return runFailover(job, events, killed);
  }
}

function tell(message: FromGenerator, onSent?: () => void): void {
  process.send?.(message, undefined, undefined, onSent);
}

function fail(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  tell({ kind: 'failed', message }, () => process.exit(1));
}

process.on('uncaughtException', fail);
process.on('disconnect', () => process.exit(1));
process.on('message', (message: ToGenerator) => {
  if (message.kind === 'killed') return sayKilled();
  const events: JobEvents = { onWindow: (isOpen) => tell({ kind: 'window', isOpen }) };
  runJob(message.job, events).then(
    (result) => tell({ kind: 'result', result }, () => process.exit(0)),
    fail,
  );
});
