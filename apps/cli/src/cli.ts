import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '@aifirst/kernel';
import { exportLog } from './audit-export';
import { verifyLog, type VerifyArguments } from './audit-verify';
import { CannotDo, EXIT, type ExitCode, type Surroundings } from './exit';

const ENVIRONMENT = `
Environment:
  AIFIRST_URL    the server (default http://127.0.0.1:7400)
  AIFIRST_TOKEN  its bearer token (default: the content of DATA_DIR/admin.token, DATA_DIR being .aifirst unless set)`;

const VERIFY_HELP = `
Examples:
  $ aifirst audit verify                                  the server's whole log, and that it goes on from what was seen last time
  $ aifirst audit verify --key audit.vkey                 the same, with a key that you know from elsewhere
  $ aifirst audit verify --from 2026-01-01 --to 2026-02-01
  $ aifirst audit verify --offline audit.aifirst --key 'aifirst/default+1a2b3c4d+AQ…'

Exit code: 0 verified, 1 tampered (the first bad index is shown), 2 wrong usage, or the server can't be reached.
${ENVIRONMENT}`;

const EXPORT_HELP = `
Examples:
  $ aifirst audit export -o audit.aifirst
  $ aifirst audit export --from 2026-01-01T00:00:00Z -o january.aifirst
${ENVIRONMENT}`;

/** One run of the command line. @param args without node and script @returns the exit code */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = new Command('aifirst')
    .description('Works with an AI-First Runtime from the command line.')
    .configureOutput({ writeOut: surroundings.out, writeErr: surroundings.err })
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .addHelpText('after', ENVIRONMENT);
  const audit = program.command('audit').description('The log of everything that happened.');
  audit.command('verify')
    .description('Verifies the log of a server, or an export of it: entries, tree, signatures, producers\' numbers, and that every outcome had a decision and a start before it.')
    .option('--offline <export>', 'verify this file; nothing else is needed')
    .option('--key <vkey or file>', 'the key that must have signed; without it the one that is shown is taken, and that is said')
    .addOption(new Option('--from <time>', 'only what happened at or after this time').argParser(timeOf).conflicts('offline'))
    .addOption(new Option('--to <time>', 'only what happened before this time').argParser(timeOf).conflicts('offline'))
    .addOption(new Option('--tenant <tenant>', 'whose log, for an administrator').conflicts('offline'))
    .addOption(new Option('--seen <file>', 'where to remember what was seen (default ~/.aifirst/seen.json)').conflicts('offline'))
    .addOption(new Option('-o, --output <format>', 'how to say it').choices(['text', 'json']).default('text'))
    .addHelpText('after', VERIFY_HELP)
    .action(async (options: VerifyArguments) => { code = await verifyLog(options, surroundings); });
  audit.command('export')
    .description('Fetches one file with everything that verifying needs.')
    .addOption(new Option('--from <time>', 'at or after this time').argParser(timeOf))
    .addOption(new Option('--to <time>', 'before this time').argParser(timeOf))
    .option('--tenant <tenant>', 'whose log, for an administrator')
    .requiredOption('-o, --output <file>', 'where to write it, `-` for standard output')
    .addHelpText('after', EXPORT_HELP)
    .action(async (options: { readonly output: string; readonly from?: string; readonly to?: string; readonly tenant?: string }) => { await exportLog(options, surroundings); });

  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    surroundings.err(`aifirst: ${error instanceof CannotDo ? error.message : `failed: ${messageOf(error)}`}\n`);
    return EXIT.usage;
  }
}

function timeOf(text: string): string {
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(Date.parse(text))) throw new InvalidArgumentError('Not a date or a time of RFC 3339.');
  return text;
}
