/**
 * `lograft up`: a cluster on this machine, in the foreground until it is told to end, or (with
 * `--detach`) left alone once it runs.
 */
import { formatAddress } from '../broker/addresses.js';
import { type LaunchOptions, planLaunch } from './cluster/launch.js';
import { Supervisor } from './cluster/supervisor.js';
import { EXIT, type Output } from './output.js';

const IMPATIENT_MS = 0;

export type UpOptions = LaunchOptions & { readonly detach?: boolean };

export async function up(output: Output, options: UpOptions): Promise<number> {
  const plan = planLaunch(options);
  const isDetached = options.detach ?? false;
  const supervisor = new Supervisor(plan, isDetached);
  const ending = endOnSignal(supervisor);
  const ids = plan.config.voters.join(', ');
  const started = supervisor.start().then(() => 'started' as const);
  const first = await output.progress(
    () => `starting nodes ${ids}`,
    Promise.race([started, ending]),
  );
  if (first === 'ended') {
    // Its failure is the consequence of the signal, which has been dealt with.
    await started.catch(() => undefined);
    return EXIT.done;
  }
  announce(output, plan);
  if (isDetached) {
    supervisor.release();
    return EXIT.done;
  }
  supervisor.onNodeEnd = (id, how) => output.note(`node ${id} ended (${how})`);
  await keepAlive(ending);
  return EXIT.done;
}

function announce(output: Output, plan: ReturnType<typeof planLaunch>): void {
  const bootstrap = plan.config.nodes
    .map((node) => formatAddress(node.advertisedHost, node.advertisedPort))
    .join(',');
  const http = plan.config.nodes.map(
    ({ advertisedHost, httpPort }) => `http://${formatAddress(advertisedHost, httpPort)}`,
  );
  const nodes = plan.config.nodes.length;
  // From the start of this process, which is what the user waited for.
  const ms = Math.round(performance.now());
  output.result(
    { nodes, bootstrap, http, ms, dataDir: plan.dataDir },
    `lograft started: ${nodes} nodes, bootstrap ${bootstrap}, ${ms} ms`,
  );
  output.note(`HTTP on ${http.join(' ')}`);
}

/** Resolves when a signal came and everything has ended. A second signal does not wait. */
function endOnSignal(supervisor: Supervisor): Promise<'ended'> {
  return new Promise((resolve, reject) => {
    let signals = 0;
    const onSignal = () => {
      signals += 1;
      if (signals > 2) return;
      const politeMs = signals === 1 ? undefined : IMPATIENT_MS;
      supervisor.stop(politeMs).then(() => resolve('ended'), reject);
    };
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  });
}

/** The nodes are processes of their own, so something here must keep the loop turning. */
async function keepAlive(ending: Promise<unknown>): Promise<void> {
  const timer = setInterval(() => undefined, 2 ** 30);
  try {
    await ending;
  } finally {
    clearInterval(timer);
  }
}
