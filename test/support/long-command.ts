/**
 * The commands that run for minutes, in one form: `--help` lists what there is, and what cannot be
 * is said in a line that names it, with exit code 2, before anything is begun.
 */
import { Command, CommanderError } from 'commander';
import { LograftError } from '#src/base/errors.js';
import { usage } from '#src/cli/options.js';
import { EXIT } from '#src/cli/output.js';

/** `npm run <script>`; options are added to it, then {@link optionsOf} reads them. */
export function longCommand(script: string, description: string): Command {
  return new Command(`npm run ${script} --`)
    .description(description)
    .allowExcessArguments(false)
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride();
}

/** What was asked for; each value is as its option's parser has it. Ends the process on misuse. */
export function optionsOf<Options extends object>(command: Command, args = process.argv): Options {
  try {
    return command.parse(args).opts<Options>();
  } catch (error) {
    // commander has said it already.
    if (error instanceof CommanderError)
      process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage);
    if (!(error instanceof LograftError) || error.code !== 'USAGE') throw error;
    process.stderr.write(`error: ${error.message}\n(--help lists what there is)\n`);
    process.exit(EXIT.usage);
  }
}

/** Names of a list with commas; each must be known. */
export function namesOf(option: string, known: readonly string[]) {
  return (text: string): string[] => {
    const names = text.split(',');
    for (const name of names) {
      if (!known.includes(name)) {
        throw usage(`${option} ${name}: expected one of ${known.join(', ')}`);
      }
    }
    return names;
  };
}
