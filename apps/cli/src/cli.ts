import { Command, CommanderError, Option } from 'commander';
import { messageOf } from '@aifirst/kernel';
import { exportLog, type ExportArguments } from './audit-export';
import { verifyLog, type VerifyArguments } from './audit-verify';
import { CommandLine, ENVIRONMENT, timeOf } from './command-line';
import { CannotDo, EXIT, type ExitCode, type Surroundings } from './exit';
import { addGet } from './get/get-command';
import { addPlan } from './plan/plan-command';
import { Refused } from './refused';
import { Screen } from './screen/screen';
import { safeLines } from './screen/shown';
import { addApply } from './workflows/apply-command';
import { addOrders } from './workflows/orders-command';
import { addWatch } from './workflows/watch-command';

const HELP = `
Examples:
  $ aifirst plan intent.yaml                       what would it do?
  $ aifirst apply intent.yaml                      do it, and show it live
  $ aifirst get workflows --status rollbackBlocked
  $ aifirst rollback <id> --reason 'wrong customer'
  $ aifirst audit verify

Exit code: 0 done, or it ended as was wanted; 1 it ended otherwise, waits for a person, or the server refused; 2 wrong usage;
3 the server can't be reached; 130 stopped by Ctrl-C. \`audit verify\` has its own: 0 verified, 1 tampered, 2 all else.
${ENVIRONMENT}`;

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
  const commands = new CommandLine(surroundings);
  const program = new Command('aifirst')
    .description('Works with an AI-First Runtime from the command line.')
    .configureOutput({ writeOut: surroundings.out, writeErr: text => { surroundings.err(safeLines(text)); } })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .option('--server <url>', 'the server, in place of AIFIRST_URL')
    .addOption(new Option('--token <token>', 'its bearer token; others on this machine may see it: better a file').conflicts('tokenFile'))
    .option('--token-file <file>', 'the file that holds its bearer token')
    .addHelpText('after', HELP);
  addPlan(commands, program);
  addApply(commands, program);
  addGet(commands, program);
  addWatch(commands, program);
  addOrders(commands, program);
  addAudit(commands, program);

  try {
    await program.parseAsync([...args], { from: 'user' });
    return commands.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof Refused) { new Screen(surroundings, 'table').note(...error.lines()); return error.exitCode; }
    surroundings.err(safeLines(`aifirst: ${error instanceof CannotDo ? error.message : `failed: ${messageOf(error)}`}\n`));
    return error instanceof CannotDo ? error.exitCode : EXIT.usage;
  }
}

function addAudit(commands: CommandLine, program: Command): void {
  const { surroundings } = commands;
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
    .action(async (_: VerifyArguments, command: Command) => { commands.code = await verifyLog(command.optsWithGlobals<VerifyArguments>(), surroundings); });
  audit.command('export')
    .description('Fetches one file with everything that verifying needs.')
    .addOption(new Option('--from <time>', 'at or after this time').argParser(timeOf))
    .addOption(new Option('--to <time>', 'before this time').argParser(timeOf))
    .option('--tenant <tenant>', 'whose log, for an administrator')
    .requiredOption('-o, --output <file>', 'where to write it, `-` for standard output')
    .addHelpText('after', EXPORT_HELP)
    .action(async (_: ExportArguments, command: Command) => { await exportLog(command.optsWithGlobals<ExportArguments>(), surroundings); });
}
