/**
 * `lograft broker`: one node in the foreground, for a host of its own and for the supervisor. Ends
 * cleanly on SIGTERM and SIGINT, and when the supervisor that started it is gone.
 */
import { LograftError } from '../base/errors.js';
import type { RunningBroker } from '../broker/broker.js';
import type { ClusterConfig } from '../broker/config.js';
import { brokerConfig, readResolvedConfig } from '../broker/node-config.js';
import { SETTINGS } from '../broker/settings.js';
import { watchSupervisor } from '../broker/supervision.js';
import type { LaunchOptions } from './cluster/launch.js';
import { usage } from './options.js';
import { EXIT, errorText, type Output, table } from './output.js';

/** A close that takes longer hangs; data that was acknowledged is safe without it. */
const CLOSE_MS_MAX = 7_000;

export type BrokerOptions = LaunchOptions & {
  readonly id?: number;
  readonly listSettings?: boolean;
  /** What `lograft up` decided, in place of every other source. */
  readonly resolved?: string;
};

export async function broker(output: Output, options: BrokerOptions): Promise<number> {
  if (options.listSettings === true) return listSettings(output);
  if (options.id === undefined) throw usage('broker: which node? --id N');
  const config = brokerConfig(await clusterConfig(options), options.id);
  const ending = endRequest();
  process.once('uncaughtException', endWithReason);
  const { startBroker } = await import('../broker/broker.js');
  const running = await Promise.race([startBroker(config), ending.then(() => null)]);
  if (running === null) return EXIT.done;
  await ending;
  await closeInTime(running);
  return EXIT.done;
}

async function clusterConfig(options: BrokerOptions): Promise<ClusterConfig> {
  if (options.resolved !== undefined) return readResolvedConfig(options.resolved);
  const { loadClusterConfig } = await import('../broker/config.js');
  const { loadOptionsOf } = await import('./cluster/launch.js');
  return loadClusterConfig(loadOptionsOf(options));
}

/** A thread died or an invariant broke: nothing here can be trusted, the others take over. */
function endWithReason(error: Error): void {
  process.stderr.write(`${errorText(error, 'text')}\n`);
  process.exit(EXIT.failed);
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
