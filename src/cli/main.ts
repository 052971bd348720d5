#!/usr/bin/env node
/**
 * Entry of every command: names, options and help. A command's module is loaded only when it runs,
 * so that `--help` costs nothing. The one place that turns errors into exit codes.
 */
import { Command, CommanderError, Option } from 'commander';
import { packageVersion } from '../broker/package-version.js';
import { collect, parseAcks, parseStartOffset, usage, wholeNumber } from './options.js';
import { EXIT, errorText, exitCodeOf, type Format, Output } from './output.js';

/**
 * `options` holds what the definition of the command below says, with `parse` functions applied;
 * commander does not know its type, so each module declares the one it reads.
 */
type Run = (output: Output, options: never, args: readonly string[]) => Promise<number>;

const PORT_MAX = 65_535;
/** Beyond this node ids would meet the ports of the peers. */
const NODES_MAX = 99;

const program = new Command('lograft')
  .description('A Raft-replicated log store that speaks Kafka')
  .option('--format <format>', 'text, or json: one document on standard output', 'text')
  .option('--data <dir>', "the cluster's directory (default: dataDir of cluster.yml)")
  .option('--config <file>', 'cluster.yml to use (default: ./cluster.yml, else the packaged one)')
  .version(packageVersion(), '-V, --version', 'print the version')
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ writeErr: () => undefined })
  .exitOverride()
  .showSuggestionAfterError(true)
  .helpCommand(true);

defineCluster();
defineFaults();
defineLogs();
defineTopics();
defineClients();
defineTools();
await main(process.argv.slice(2));

function defineCluster(): void {
  withLaunch(command('up', 'start a cluster on this machine and stay until told to end'))
    .option('--detach', 'return once it runs and leave it running')
    .action(action(async (output, options) => (await import('./up.js')).up(output, options)));
  command('down', 'stop the cluster of the directory').action(
    action(async (output, options) => (await import('./down.js')).down(output, options)),
  );
  command('status', 'nodes, leaders, epochs and offsets')
    .option('--internal', 'internal topics too')
    .action(
      action(async (output, options) => (await import('./status.js')).status(output, options)),
    );
  withLaunch(command('broker', 'run one node in the foreground'))
    .option('--id <id>', 'which node of cluster.yml', wholeNumber('--id', 1, 9999))
    .addOption(new Option('--resolved <file>').hideHelp())
    .option('--list-settings', 'print every setting with its default, unit and meaning')
    .action(
      action(async (output, options) => (await import('./broker.js')).broker(output, options)),
    );
}

function defineFaults(): void {
  const faults = {
    kill: 'end a node with kill -9',
    pause: 'stop a node without ending it (SIGSTOP)',
    resume: 'let a paused node go on',
  } as const;
  for (const [fault, description] of Object.entries(faults)) {
    withTarget(
      command(`${fault} <node>`, `${description}: an id, "leader" or "controller"`),
    ).action(
      action(async (output, options, [node]) =>
        (await import('./signal.js')).sendFault(
          output,
          fault as keyof typeof faults,
          node as string,
          options,
        ),
      ),
    );
  }
  withTarget(command('start <node>', 'start a node that was killed or ended'))
    .option('--wait-in-sync', 'return when it has caught up with every leader')
    .option('--timeout <seconds>', 'how long to wait', wholeNumber('--timeout', 1), 60)
    .action(
      action(async (output, options, [node]) =>
        (await import('./start.js')).start(output, node as string, options),
      ),
    );
}

function defineLogs(): void {
  withTarget(command('log-level [node] [level]', 'show or change what nodes log while they run'))
    .addHelpText('after', '\nnode: an id, "leader", "controller" or "all"; levels: trace to error')
    .action(
      action(async (output, options, args) =>
        (await import('./log-level.js')).logLevel(output, args, options),
      ),
    );
}

function defineTopics(): void {
  const topic = program
    .command('topic')
    .description('create, list, describe, alter, delete topics');
  const partitions = ['-p, --partitions <count>', 'partitions', wholeNumber('-p', 1)] as const;
  const config = ['-c, --topic-config <key=value>', 'of the topic; repeatable', collect] as const;
  kafka(topic.command('create <topic>').description('create a topic'))
    .option(...partitions)
    .option('-r, --replicas <count>', 'replicas of each partition', wholeNumber('-r', 1, 99))
    .option(...config)
    .action(
      action(async (output, options, [name]) =>
        (await import('./topic.js')).createCommand(output, name as string, options),
      ),
    );
  kafka(topic.command('list').description('all topics'))
    .option('--internal', 'internal topics too')
    .action(
      action(async (output, options) => (await import('./topic.js')).listCommand(output, options)),
    );
  kafka(topic.command('describe <topic>').description('configs, leaders and offsets')).action(
    action(async (output, options, [name]) =>
      (await import('./topic.js')).describeCommand(output, name as string, options),
    ),
  );
  kafka(topic.command('alter <topic>').description('change configs, add partitions'))
    .option('-p, --partitions <count>', 'raise the number of partitions', wholeNumber('-p', 1))
    .option(...config)
    .option('--unset <key>', 'take a config back to its default; repeatable', collect)
    .action(
      action(async (output, options, [name]) =>
        (await import('./topic.js')).alterCommand(output, name as string, options),
      ),
    );
  kafka(topic.command('delete <topic>').description('delete a topic and its records')).action(
    action(async (output, options, [name]) =>
      (await import('./topic.js')).deleteCommand(output, name as string, options),
    ),
  );
  const group = program.command('group').description('list, describe, delete consumer groups');
  kafka(group.command('list').description('all groups')).action(
    action(async (output, options) => (await import('./group.js')).listGroups(output, options)),
  );
  kafka(group.command('describe <group>').description('members, offsets and lag')).action(
    action(async (output, options, [name]) =>
      (await import('./group.js')).describeGroup(output, name as string, options),
    ),
  );
  kafka(
    group.command('delete <group>').description('delete an empty group and its offsets'),
  ).action(
    action(async (output, options, [name]) =>
      (await import('./group.js')).deleteGroup(output, name as string, options),
    ),
  );
}

function defineClients(): void {
  kafka(command('produce <topic>', 'every line of standard input becomes a record'))
    .option('-p, --partition <number>', 'to this partition only', wholeNumber('-p', 0))
    .option('-K, --key-delimiter <text>', 'what stands before this text in a line is the key')
    .addOption(new Option('--acks <acks>', 'all, 1 or 0').argParser(parseAcks).default(-1, 'all'))
    .option(
      '--timeout <seconds>',
      'give a batch up after this long',
      wholeNumber('--timeout', 1),
      30,
    )
    .action(
      action(async (output, options, [topic]) =>
        (await import('./produce.js')).produce(output, topic as string, options),
      ),
    );
  kafka(command('consume <topic>', 'print records'))
    .addOption(
      new Option('-o, --offset <where>', 'beginning, end, N, -N (before the end) or @ms')
        .argParser(parseStartOffset)
        .default({ kind: 'earliest' }, 'beginning'),
    )
    .option('-p, --partition <number>', 'this partition only', wholeNumber('-p', 0))
    .option('-g, --group <group>', 'as a member of this group, from its committed offsets')
    .option('-n, --number <count>', 'end after so many records', wholeNumber('-n', 1))
    .option('-e, --exit', 'end where the partitions ended at the start')
    .option('-f <format>', "how to print a record, in kcat's letters (default: %v\\n)")
    .action(
      action(async (output, options, [topic]) =>
        (await import('./consume.js')).consume(output, topic as string, options),
      ),
    );
}

function defineTools(): void {
  const log = program.command('log').description('look into segment files');
  log
    .command('verify <path>')
    .description('check every batch of a segment file or of a partition')
    .action(
      action(async (output, _, [path]) =>
        (await import('./log.js')).verifyLog(output, path as string),
      ),
    );
  log
    .command('dump <path>')
    .description('print every batch of a segment file or of a partition')
    .option('--records', 'records too')
    .action(
      action(async (output, options, [path]) =>
        (await import('./log.js')).dumpLog(output, path as string, options),
      ),
    );
  command('demo', 'the whole story unattended: write, kill leaders, check every record')
    .option('--seed <number>', 'which partitions are hit', wholeNumber('--seed', 0), 1)
    .option('--rounds <count>', 'faults', wholeNumber('--rounds', 1, 50), 4)
    .addOption(new Option('--break-promise').hideHelp())
    .action(action(async (output, options) => (await import('./demo.js')).demo(output, options)));
  program
    .command('bench')
    .description('load a running cluster and say how fast it is')
    .command('http [topic]')
    .description('write by HTTP with autocannon, to a topic of its own or to the one named')
    .option('--url <http://host:port,…>', 'doors to write through instead of all of --data')
    .option('--connections <count>', 'connections', wholeNumber('--connections', 1, 10_000), 100)
    .option('--pipelining <count>', 'requests ahead', wholeNumber('--pipelining', 1, 1_000), 1)
    .option('--seconds <count>', 'how long', wholeNumber('--seconds', 1, 86_400), 10)
    .option('--size <bytes>', "of a record's value", wholeNumber('--size', 1, 1_000_000), 200)
    .option('--records <count>', 'records a request', wholeNumber('--records', 1, 10_000), 1)
    .option('--rate <count>', 'requests a second, all together', wholeNumber('--rate', 1))
    .action(
      action(async (output, options, [topic]) =>
        (await import('./bench-http.js')).benchHttp(output, topic, options),
      ),
    );
  command('version', 'of lograft and of Node').action(
    action(async (output) => (await import('./version.js')).version(output)),
  );
}

function command(nameAndArguments: string, description: string): Command {
  return program.command(nameAndArguments).description(description);
}

/** A command that only speaks Kafka finds its cluster by address, too. */
function kafka(target: Command): Command {
  return target.option('--bootstrap <host:port,…>', 'brokers to ask instead of --data');
}

function withTarget(target: Command): Command {
  return target
    .option('--topic <topic>', 'of which topic the leader is meant')
    .option('--partition <number>', 'of which partition', wholeNumber('--partition', 0), 0);
}

function withLaunch(target: Command): Command {
  return target
    .option('--nodes <count>', 'nodes 1 to N', wholeNumber('--nodes', 1, NODES_MAX))
    .option('--base-port <port>', 'first Kafka port', wholeNumber('--base-port', 1, PORT_MAX))
    .option('--set <key=value>', 'override a setting; repeatable', collect)
    .addOption(new Option('--insecure', 'listen on addresses that others can reach'));
}

/** commander calls back with the arguments, the command's own options and the command. */
function action(run: Run) {
  return async (...given: unknown[]): Promise<void> => {
    const self = given.at(-1) as Command;
    const options = self.optsWithGlobals();
    const output = new Output(parseFormat(String(options['format'])));
    process.exitCode = await run(output, options as never, self.args);
  };
}

function parseFormat(text: string): Format {
  if (text === 'text' || text === 'json') return text;
  throw usage(`--format ${text}: expected text or json`);
}

async function main(args: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) ends the command, quietly.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
  });
  // Needed before the options are parsed, and when they cannot be.
  const format: Format = /(^| )--format[ =]json( |$)/.test(args.join(' ')) ? 'json' : 'text';
  try {
    await program.parseAsync(args as string[], { from: 'user' });
    process.exit();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) process.exit(EXIT.done);
    const shown = error instanceof CommanderError ? usageOf(error) : error;
    process.stderr.write(`${errorText(shown, format)}\n`);
    process.exit(exitCodeOf(shown));
  }
}

function usageOf(error: CommanderError): Error {
  const message = error.message.replace(/^error: /, '').replace('(outputHelp)', 'which command?');
  return usage(message, '`lograft --help` and `lograft COMMAND --help` list what there is');
}
