import { Option, type Command } from 'commander';
import type { JsonObject } from '@aifirst/kernel';
import { EXIT_CODES_WAITING, type Call, type CommandLine } from '../command-line';
import { EXIT, Unreachable, type ExitCode } from '../exit';
import { textOf } from '../plan/plan';
import { bold, dim, line } from '../screen/shown';
import { Lost, workflowPath } from '../server';
import { attend, conclude, goesOn, interruptible, lastFactOf } from './attend';
import { shownRollback } from './show-rollback';
import { shownWorkflow } from './show-workflow';
import { statusText } from './show-fact';

const ID = '01980000-0000-7000-8000-000000000000';
/** Those that happen at once: nothing to wait for. */
const AT_ONCE = `Exit code: 0 ordered, 1 the server refused, 2 wrong usage, 3 the server can't be reached; with --wait 0 only if it ended so.`;

interface Reason { readonly reason?: string }
interface Waiting { readonly wait?: boolean }
interface RollbackOptions extends Reason, Waiting { readonly preview?: boolean; readonly cascade?: boolean; readonly onConflict?: string; readonly digest?: string }

export function addOrders(to: CommandLine, program: Command): void {
  to.command<RollbackOptions>(program, 'rollback <id>', {
    does: 'Takes everything back that a workflow did, also one that has long ended, and shows the undo live. On a blocked one it tries again what is left.',
    examples: [`rollback ${ID} --reason 'wrong customer'`, `rollback ${ID} --preview`, `rollback ${ID} --preview -o json`, `rollback ${ID} --digest hmac-sha256:… --on-conflict skip`, `rollback ${ID} --reason 'wrong customer' --on-conflict skip --no-wait`],
    more: 'With --preview every step that would be undone is shown in the order of undoing, with what somebody else has changed since: before the step, after it, and now.\nIts digest, given back with --digest, runs exactly that: if anything has changed since, nothing is undone.',
    exits: EXIT_CODES_WAITING,
  }, async call => {
    const { options: { reason, preview, cascade, onConflict, digest, wait } } = call;
    const body = given({ reason, preview, cascade, onConflict, digest });
    return preview === true ? previewed(call, body) : order(call, 'rollback', body, ['rolledBack'], wait !== false);
  })
    .option('--reason <text>', 'why, for the record')
    .option('--preview', 'only show what would be done, and what stands in the way')
    .option('--digest <digest>', 'undo exactly what a preview with this digest showed, or nothing')
    .option('--cascade', 'also take back the workflows that build on it')
    .addOption(new Option('--on-conflict <how>', 'what becomes of things that somebody else has changed since').choices(['block', 'skip', 'force']))
    .option('--no-wait', 'do not wait for its end');

  to.command<Reason & Waiting>(program, 'cancel <id>', {
    does: 'Cancels a workflow: before any effect it ends cancelled, later it acts as its `onFailure` says.',
    examples: [`cancel ${ID} --reason 'no longer needed'`, `cancel ${ID} --wait`], exits: AT_ONCE,
  }, call => order(call, 'cancel', given({ reason: call.options.reason }), ['cancelled', 'rolledBack'], call.options.wait === true))
    .option('--reason <text>', 'why, for the record').option('--wait', 'show what happens until it has ended');

  to.command<Reason>(program, 'pause <id>', {
    does: 'Starts no further step of a workflow; what runs, ends.', examples: [`pause ${ID} --reason 'let me look'`],
  }, call => order(call, 'pause', given({ reason: call.options.reason }), [], false))
    .option('--reason <text>', 'why, for the record');

  to.command<Waiting & { readonly failedStep?: string }>(program, 'resume <id>', {
    does: 'Goes on with a workflow that is paused.', examples: [`resume ${ID}`, `resume ${ID} --failed-step retry --wait`], exits: AT_ONCE,
  }, call => order(call, 'resume', given({ failedStep: call.options.failedStep }), ['completed'], call.options.wait === true))
    .addOption(new Option('--failed-step <what>', 'what becomes of a step that failed').choices(['retry', 'skip'])).option('--wait', 'show what happens until it has ended');
}

async function previewed({ args: [id = ''], server, screen }: Call<unknown>, asked: JsonObject): Promise<ExitCode> {
  const { body } = await server.call('POST', `${workflowPath(id)}/rollback`, { body: asked, repeatable: true });
  const shown = screen.isForPeople ? shownRollback(id, body, asked, screen.width) : null;
  if (shown === null) screen.document(body);
  else screen.line(...shown);
  return EXIT.ok;
}

/** @param wanted how it is to end, where that is waited for */
async function order({ args: [id = ''], server, screen, surroundings }: Call<unknown>, what: string, body: JsonObject, wanted: readonly string[], wait: boolean): Promise<ExitCode> {
  const path = `${workflowPath(id)}/${what}`;
  const after = wait ? await lastFactOf(server, id) : null;
  const { body: view } = await server.call('POST', path, { body }).catch((error: unknown) => {
    // Why not try again: an order that came through and is given once more is another order.
    throw error instanceof Lost ? new Unreachable(`${error.message}; whether it was taken in shows \`aifirst get workflow ${id}\``) : error;
  });
  if (!wait) {
    if (!screen.isForPeople) screen.document(view);
    else screen.line(...shownWorkflow(view, screen.width));
    return EXIT.ok;
  }
  return interruptible(surroundings, async signal => {
    screen.live(line`${dim(`${what} ordered:`)} workflow ${bold(id)} is ${statusText(textOf(view['status']))}`);
    const settled = await attend(id, { server, screen, signal, after, untilParked: true, known: view });
    return settled === null ? null : conclude(settled, screen, wanted);
  }, () => { goesOn(id, screen); });
}

const given = (fields: Readonly<Record<string, string | boolean | undefined>>): JsonObject => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
