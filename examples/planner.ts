/**
 * A model proposes, the runtime checks, a person decides: a goal becomes a plan, and is done after somebody has typed yes.
 *
 *     AIFIRST_TOKEN=$(cat .aifirst/demo.token) OPENAI_API_KEY=sk-… OPENAI_MODEL=gpt-4o-mini node tools/example.mjs examples/planner.ts "file a letter to Ada"
 *
 * The same as a command, with more to choose from: npx aifirst-planner "file a letter to Ada"
 */
import { createInterface } from 'node:readline/promises';
import { AiFirstError, Client } from '@aifirst/client';
import { endpointFromEnvironment, Planner, PlannerError, PlanStale, type Proposal } from '@aifirst/planner';

const GOAL = 'Write a welcome letter to Ada into letters/ada.txt.';

async function main(goal: string): Promise<void> {
  const planner = new Planner({
    client: new Client(), // AIFIRST_URL and AIFIRST_TOKEN
    model: endpointFromEnvironment(process.env), // OPENAI_BASE_URL, OPENAI_MODEL and OPENAI_API_KEY
    include: ['fs.*', 'sql.*'],
    intent: { labels: { example: 'planner' } },
    onProgress: progress => { if (progress.type === 'refused') console.error('refused:', progress.problems.map(({ code }) => code).join(', ')); },
  });
  const carried = await planner.carryOut(goal, {
    ask: async (proposal, moved) => {
      if (moved !== null) console.log('\nsomething has moved since: this is what it would do now');
      return decide(proposal);
    },
  });
  console.log(carried.outcome === 'applied' ? `workflow ${carried.workflow.id} is ${carried.workflow.status}` : 'nothing was done');
}

/** A person, or nobody: what can't be asked is not done. */
async function decide(proposal: Proposal): Promise<boolean> {
  console.log(proposal.lines.join('\n'));
  if (!process.stdin.isTTY) { console.log('\nnobody can be asked here'); return false; }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question('\nType yes to do exactly this: ')).trim() === 'yes';
  } finally {
    terminal.close();
  }
}

main(process.argv.slice(2).join(' ') || GOAL).catch((error: unknown) => {
  if (!(error instanceof PlannerError || error instanceof PlanStale || error instanceof AiFirstError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
