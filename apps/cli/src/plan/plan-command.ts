import type { Command } from 'commander';
import type { JsonObject } from '@aifirst/kernel';
import type { CommandLine } from '../command-line';
import { CannotDo, EXIT } from '../exit';
import { Refused } from '../refused';
import type { Screen } from '../screen/screen';
import { pause, segment, type Answer, type Server } from '../server';
import { readIntent } from './intent-file';
import { planIn } from './plan';
import { shownPlan } from './show-plan';

const ASK_AGAIN_MS = 1_000;
const MADE_MS_MAX = 600_000;

export function addPlan(to: CommandLine, program: Command): void {
  to.command(program, 'plan [file]', {
    does: 'Shows what an intent would do, without doing it: order, decision, risk, the change itself, how each step would be undone, and from where on not everything can be.',
    more: 'The file holds the intent as JSON or YAML; without one, or with `-`, it is read from standard input.',
    examples: ['plan intent.yaml', 'plan intent.json -o json > plan.json', 'plan --token-file .aifirst/demo.token - < intent.yaml', 'apply --plan 01980000-0000-7000-8000-000000000000'],
  }, async ({ args: [file], server, screen, surroundings }) => {
    const { bytes, placeOf } = await readIntent(file, surroundings);
    try {
      showPlan(await made(server, await server.call('POST', '/v1/plans', { body: bytes, repeatable: true }), screen), screen);
      return EXIT.ok;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      screen.note(...error.lines(placeOf));
      return error.exitCode;
    }
  });
}

/** A plan that takes longer is asked for until it is there. */
async function made(server: Server, first: Answer, screen: Screen): Promise<JsonObject> {
  const giveUpAt = performance.now() + MADE_MS_MAX;
  for (let answer = first; ; ) {
    if (planIn(answer.body) !== null) return answer.body;
    const { planId } = first.body;
    if (typeof planId !== 'string') throw new CannotDo('the server answered without a plan and without saying where it will be', EXIT.unreachable);
    if (answer === first) screen.note(`plan ${planId} is being made …`);
    if (performance.now() > giveUpAt) throw new CannotDo(`plan ${planId} is still being made: \`aifirst get plan ${planId}\` shows it once it is there`, EXIT.refused);
    await pause(ASK_AGAIN_MS);
    answer = await server.call('GET', `/v1/plans/${segment(planId)}`);
  }
}

export function showPlan(body: JsonObject, screen: Screen): void {
  const plan = screen.isForPeople ? planIn(body) : null;
  if (plan === null) screen.document(body);
  else screen.line(...shownPlan(plan, screen.width));
}
