import { InvalidArgumentError, Option, type Command } from 'commander';
import { EXIT, type ExitCode, type Surroundings } from './exit';
import { FORMATS, Screen, type Format } from './screen/screen';
import { Server, type ServerOptions } from './server';

export const ENVIRONMENT = `
Environment:
  AIFIRST_URL         the server (default http://127.0.0.1:7400)
  AIFIRST_TOKEN       its bearer token
  AIFIRST_TOKEN_FILE  the file that holds it (default DATA_DIR/admin.token, DATA_DIR being .aifirst unless set)
  NO_COLOR, FORCE_COLOR  colours never, colours always; else on a terminal`;

export const EXIT_CODES = 'Exit code: 0 done, 1 the server refused, 2 wrong usage, 3 the server can\'t be reached.';
export const EXIT_CODES_WAITING = 'Exit code: 0 it ended as was wanted, 1 it ended otherwise, waits for a person, or the server refused, 2 wrong usage,\n3 the server can\'t be reached, 130 stopped watching by Ctrl-C.';

export interface Common extends ServerOptions { readonly output: Format }
export interface Call<O> { readonly args: readonly (string | undefined)[]; readonly options: O & Common; readonly server: Server; readonly screen: Screen; readonly surroundings: Surroundings }

/** One run: what its command ends with. */
export class CommandLine {
  code: ExitCode = EXIT.ok;
  constructor(readonly surroundings: Surroundings) {}

  /** A command that asks the server, with the options that all of these have. */
  command<O>(parent: Command, usage: string, about: { readonly does: string; readonly examples: readonly string[]; readonly exits?: string; readonly more?: string }, does: (call: Call<O>) => Promise<ExitCode>): Command {
    const { surroundings } = this;
    return parent.command(usage).description(about.does)
      .addOption(new Option('-o, --output <format>', 'how to say it').choices(FORMATS).default('table'))
      .option('--tenant <tenant>', 'whose, for an administrator')
      .addHelpText('after', `${about.more === undefined ? '' : `\n${about.more}\n`}\nExamples:\n${about.examples.map(one => `  $ aifirst ${one}`).join('\n')}\n\n${about.exits ?? EXIT_CODES}\n${ENVIRONMENT}`)
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const options = command.optsWithGlobals<O & Common>();
        this.code = await does({ args: command.processedArgs as (string | undefined)[], options, server: new Server(surroundings, options), screen: new Screen(surroundings, options.output), surroundings });
      });
  }
}

export function wholeNumber(text: string): number {
  const value = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(value)) throw new InvalidArgumentError('Not a whole number from 1.');
  return value;
}

export function timeOf(text: string): string {
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(Date.parse(text))) throw new InvalidArgumentError('Not a date or a time of RFC 3339.');
  return text;
}

/** Of an option that may stand more than once. */
export const collected = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];
