/**
 * An agent without any framework: the loop of a model and its tools, in plain TypeScript.
 *
 *     AIFIRST_TOKEN=$(cat .aifirst/demo.token) OPENAI_API_KEY=sk-… node tools/example.mjs examples/plain-typescript.ts "file a letter to Ada"
 *
 * Its tools are what policy permits this agent at this moment; every call is decided, recorded, and can be taken back.
 */
import { AiFirstError, Client, tools, type Tool } from '@aifirst/client';

const GOAL = 'Write a welcome letter to Ada into letters/ada.txt, then read it to make sure.';
const TURNS_MAX = 20;
const { OPENAI_BASE_URL = 'https://api.openai.com/v1', OPENAI_API_KEY = '', OPENAI_MODEL = 'gpt-4o-mini' } = process.env;

interface Call { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }
interface Message { readonly role: string; readonly content: string | null; readonly tool_calls?: readonly Call[]; readonly tool_call_id?: string }

async function main(goal: string): Promise<void> {
  const client = new Client(); // AIFIRST_URL and AIFIRST_TOKEN
  const offered = new Map((await tools(client, { labels: { framework: 'none' } })).map(tool => [tool.name, tool]));
  const messages: Message[] = [{ role: 'user', content: goal }];
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const message = await ask(messages, [...offered.values()]);
    messages.push(message);
    if (message.tool_calls === undefined || message.tool_calls.length === 0) { console.log(message.content); return; }
    for (const call of message.tool_calls) messages.push({ role: 'tool', tool_call_id: call.id, content: await answer(offered, call) });
  }
  throw new Error(`no end after ${TURNS_MAX} turns`);
}

async function ask(messages: readonly Message[], offered: readonly Tool[]): Promise<Message> {
  const response = await fetch(`${OPENAI_BASE_URL}/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${OPENAI_API_KEY}` }, signal: AbortSignal.timeout(120_000),
    body: JSON.stringify({ model: OPENAI_MODEL, messages, tools: offered.map(({ definition }) => definition) }),
  });
  if (!response.ok) throw new Error(`the model's endpoint answered ${response.status}`);
  const { choices: [choice] } = await response.json() as { readonly choices: readonly [{ readonly message: Message }] };
  return choice.message;
}

/** What the model is told: what came of it, or why not, what stands, and what to do. */
async function answer(offered: ReadonlyMap<string, Tool>, { function: { name, arguments: input } }: Call): Promise<string> {
  const tool = offered.get(name);
  if (tool === undefined) return `there is no tool \`${name}\`; there are ${[...offered.keys()].join(', ')}`;
  try {
    return JSON.stringify(await tool.call(input));
  } catch (error) {
    if (error instanceof AiFirstError) return error.message;
    throw error;
  }
}

main(process.argv.slice(2).join(' ') || GOAL).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
