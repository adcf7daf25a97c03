import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { EXIT_CODES_WAITING, type CommandLine } from '../command-line';
import { CannotDo, EXIT } from '../exit';
import { readIntent, type IntentFile } from '../plan/intent-file';
import { textOf } from '../plan/plan';
import { Refused } from '../refused';
import { bold, dim, line, yellow } from '../screen/shown';
import { attend, conclude, goesOn, interruptible } from './attend';

interface Options { readonly plan?: string; readonly key?: string; readonly wait: boolean }

export function addApply(to: CommandLine, program: Command): void {
  to.command<Options>(program, 'apply [file]', {
    does: 'Hands in an intent, or exactly what a plan showed, and shows its steps live until it has ended or waits for a person.',
    more: 'The file holds the intent as JSON or YAML; without one, or with `-`, it is read from standard input. The idempotency key is shown before anything\nis sent: with the same --key a repeat is answered with the same workflow, never with a second one.',
    examples: ['apply intent.yaml', 'apply --plan 01980000-0000-7000-8000-000000000000', 'apply intent.json --key order-4711 --no-wait -o json', 'apply --token-file .aifirst/demo.token - < intent.yaml'],
    exits: EXIT_CODES_WAITING,
  }, async ({ args: [file], options: { plan, key = randomUUID(), wait }, server, screen, surroundings }) => {
    if (plan !== undefined && file !== undefined) throw new CannotDo('either a file or --plan: a plan holds its intent');
    if (!/^[\x20-\x7e]{1,255}$/.test(key) || key.trim() !== key) throw new CannotDo('--key is 1 to 255 printable ASCII characters, without spaces around them');
    const intent: IntentFile | null = plan === undefined ? await readIntent(file, surroundings) : null;
    let workflow: string | null = null;
    const again = `aifirst apply ${plan === undefined ? file ?? '-' : `--plan ${plan}`} --key ${/^[\w.:-]+$/.test(key) ? key : `'${key.replaceAll('\'', '\'\\\'\'')}'`}`;
    return interruptible(surroundings, async signal => {
      screen.live(line`${dim('idempotency key')} ${key}`);
      try {
        const { headers, body } = await server.call('POST', '/v1/intents', { body: intent?.bytes ?? { planId: plan }, headers: { 'idempotency-key': key }, repeatable: true, signal });
        const id = textOf(body['workflowId']);
        workflow = id;
        const isReplay = headers.get('idempotent-replayed') === 'true';
        screen.live(line`${dim('workflow')}        ${bold(id)}${isReplay ? yellow('  taken in before under this key') : ''}`);
        if (!wait) {
          if (!screen.isForPeople) screen.document({ intentId: body['intentId'], workflowId: id, idempotencyKey: key, replayed: isReplay });
          return EXIT.ok;
        }
        const view = await attend(id, { server, screen, signal, untilParked: true });
        return view === null ? null : conclude(view, screen, ['completed']);
      } catch (error) {
        if (error instanceof Refused) { screen.note(...error.lines(intent?.placeOf)); return error.exitCode; }
        if (workflow === null && error instanceof CannotDo && !signal.aborted) throw new CannotDo(`${error.message}; it is not known whether it was taken in: \`${again}\` does not do it twice`, error.exitCode);
        throw error;
      }
    }, () => {
      if (workflow !== null) goesOn(workflow, screen);
      else screen.note(yellow('stopped; it is not known whether the intent was taken in'), line`  ${dim('not twice:')} ${again}`);
    });
  })
    .option('--plan <id>', 'exactly what this plan showed, or nothing')
    .option('--key <key>', 'idempotency key (default: a new one, which is shown)')
    .option('--no-wait', 'do not wait for its end');
}
