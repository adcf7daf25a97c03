import { Option, type Command } from 'commander';
import type { JsonObject } from '@aifirst/kernel';
import { collected, wholeNumber, type Call, type CommandLine } from '../command-line';
import { EXIT, type ExitCode } from '../exit';
import { showPlan } from '../plan/plan-command';
import { dim } from '../screen/shown';
import { segment, workflowPath } from '../server';
import { shownWorkflow } from '../workflows/show-workflow';
import { LISTINGS, type Filter, type Listing } from './listings';

interface ListOptions { readonly limit?: number; readonly [filter: string]: unknown }

export function addGet(to: CommandLine, program: Command): void {
  const get = program.command('get').description('Shows what there is: workflows, agents, capabilities, connections, roles, policies, locks, dead letters, kill switches.');
  const id = '01980000-0000-7000-8000-000000000000';
  to.command(get, 'workflow <id>', { does: 'A workflow with its steps, why it is where it is, and what can be done.', examples: [`get workflow ${id}`, `get workflow ${id} -o yaml`] }, async ({ args, server, screen }) => {
    const { body } = await server.call('GET', workflowPath(args[0]!));
    if (screen.isForPeople) screen.line(...shownWorkflow(body, screen.width)); else screen.document(body);
    return EXIT.ok;
  });
  to.command(get, 'plan <id>', { does: 'A plan as `plan` showed it.', examples: [`get plan ${id}`] }, async ({ args, server, screen }) => {
    showPlan((await server.call('GET', `/v1/plans/${segment(args[0]!)}`)).body, screen);
    return EXIT.ok;
  });
  for (const listing of LISTINGS) addListing(to, get, listing);
}

function addListing(to: CommandLine, get: Command, listing: Listing): void {
  const { name, one, path, does, examples, filters } = listing;
  const command = to.command<ListOptions>(get, name, { does, examples }, call => list(call, listing))
    .option('--limit <count>', 'at most so many (default: all)', wholeNumber);
  for (const filter of filters) command.addOption(optionOf(filter));
  if (one === undefined) return;
  to.command(get, `${one.alias} <${one.argument}>`, { does: `One of the ${name}, whole.`, examples: examples.filter(example => example.startsWith(`get ${one.alias} `)) }, async ({ args, server, screen }) => {
    screen.document((await server.call('GET', `${path}/${segment(args[0]!)}`)).body);
    return EXIT.ok;
  });
}

function optionOf({ flags, does, choices, repeats, parse }: Filter): Option {
  const option = new Option(flags, does);
  if (choices !== undefined) option.choices(choices);
  if (repeats === true) option.argParser<readonly string[]>(collected);
  if (parse !== undefined) option.argParser(parse);
  return option;
}

async function list({ options, server, screen }: Call<ListOptions>, { name, path, filters, columns }: Listing): Promise<ExitCode> {
  const query = Object.fromEntries(filters.map(filter => [filter.parameter, options[optionOf(filter).attributeName()] as string | readonly string[] | undefined]));
  const items: JsonObject[] = [];
  for await (const item of server.list(path, query, options.limit)) items.push(item);
  if (!screen.isForPeople) screen.document({ items });
  else if (items.length === 0) screen.note(dim(`no ${name.replaceAll('-', ' ')}`));
  else screen.table(columns, items.map(item => columns.map(({ of }) => of(item))));
  return EXIT.ok;
}
