import type { Command } from 'commander';
import { EXIT_CODES_WAITING, type CommandLine } from '../command-line';
import { workflowPath } from '../server';
import { attend, conclude, goesOn, interruptible } from './attend';

export function addWatch(to: CommandLine, program: Command): void {
  to.command(program, 'watch <id>', {
    does: 'Shows what happens in a workflow, from its beginning and then live, until it has ended. Also while it waits for a person.',
    more: 'With -o json or yaml every fact is shown as the CloudEvent that it is, JSON on one line each. A broken connection is taken up where it broke.',
    examples: ['watch 01980000-0000-7000-8000-000000000000', 'watch 01980000-0000-7000-8000-000000000000 -o json | jq .type'],
    exits: EXIT_CODES_WAITING,
  }, async ({ args: [id = ''], server, screen, surroundings }) => {
    // Why: what is not there is said at once.
    await server.call('GET', workflowPath(id));
    return interruptible(surroundings, async signal => {
      const view = await attend(id, { server, screen, signal, untilParked: false, ...(screen.isForPeople ? {} : { show: fact => { screen.item(fact.event); } }) });
      if (view === null) return null;
      return conclude(view, screen, ['completed'], false);
    }, () => { goesOn(id, screen); });
  });
}
