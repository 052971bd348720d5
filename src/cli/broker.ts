/**
 * `lograft broker`: one node in the foreground, for a host of its own and for the supervisor. Ends
 * cleanly on SIGTERM and SIGINT, and when the supervisor that started it is gone.
 */
import { LograftError } from '../base/errors.js';
import type { RunningBroker } from '../broker/broker.js';
import { brokerConfig, loadClusterConfig } from '../broker/config.js';
import { SETTINGS } from '../broker/settings.js';
import { watchSupervisor } from '../broker/supervision.js';
import type { LaunchOptions } from './cluster/launch.js';
import { usage } from './options.js';
import { EXIT, type Output, table } from './output.js';

/** A close that takes longer hangs; data that was acknowledged is safe without it. */
const CLOSE_MS_MAX = 7_000;

export type BrokerOptions = LaunchOptions & {
  readonly id?: number;
  readonly listSettings?: boolean;
};

export async function broker(output: Output, options: BrokerOptions): Promise<number> {
  if (options.listSettings === true) return listSettings(output);
  if (options.id === undefined) throw usage('broker: which node? --id N');
  const cluster = loadClusterConfig({
    cwd: process.cwd(),
    env: process.env,
    file: options.config,
    sets: options.set,
    dataDir: options.data,
    nodeCount: options.nodes,
    basePort: options.basePort,
    isInsecure: options.insecure,
  });
  const config = brokerConfig(cluster, options.id);
  const ending = endRequest();
  const { startBroker } = await import('../broker/broker.js');
  const running = await Promise.race([startBroker(config), ending.then(() => null)]);
  if (running === null) return EXIT.done;
  await ending;
  await closeInTime(running);
  return EXIT.done;
}

/** Resolves when this process is asked to end, or nobody is left to ask it. */
function endRequest(): Promise<void> {
  return new Promise((resolve) => {
    watchSupervisor(process.env, resolve);
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}

async function closeInTime(running: RunningBroker): Promise<void> {
  const timer = setTimeout(() => {
    process.stderr.write(`lograft: the node did not close within ${CLOSE_MS_MAX} ms\n`);
    process.exit(EXIT.failed);
  }, CLOSE_MS_MAX);
  try {
    await running.close();
  } catch (cause) {
    throw new LograftError('STORAGE_FAILED', `close: ${(cause as Error).message}`, undefined, {
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

function listSettings(output: Output): number {
  const documents = SETTINGS.map(
    ({ name, type, defaultValue, unit, doc, choices, minimum, maximum }) => ({
      name,
      type,
      default: defaultValue,
      unit,
      choices,
      minimum,
      maximum,
      doc,
    }),
  );
  const rows = SETTINGS.map((setting) => [
    setting.name,
    String(setting.defaultValue),
    setting.unit === 'none' ? (setting.choices?.join('|') ?? '') : setting.unit,
    setting.doc,
  ]);
  output.result(documents, table(['SETTING', 'DEFAULT', 'UNIT', 'MEANING'], rows));
  return EXIT.done;
}
