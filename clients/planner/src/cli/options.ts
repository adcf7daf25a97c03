import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { PlanningLimits } from '../plan-maker';
import { WrongUsage, type Surroundings } from './surroundings';

export const USAGE = `Usage: aifirst-planner [options] <goal>

Lets a model propose the steps that reach a goal, shows what they would do, and does exactly that after a person has typed yes.

  --plan-only            shows the plan and does nothing
  --yes                  does it without asking anybody: for goals and rights with which that is all right
  --include <name>       only this capability is offered to the model; may stand more than once, \`*\` is a wildcard
  --rounds <n>           how often the model may propose (5)
  --tokens <n>           how many tokens all its rounds may take (200000)
  --previews <how much>  what the model sees of a refused plan: none (default), summary, full. What is there in files and
                         tables then goes to the model's endpoint
  --mode <mode>          saga (default) or atomic
  --on-failure <what>    rollback (default), pause or keep
  --label <name=value>   of the workflow; may stand more than once
  --server <url>         AIFIRST_URL, else http://127.0.0.1:7400
  --token-file <file>    with the agent's token; else AIFIRST_TOKEN_FILE or AIFIRST_TOKEN
  --json                 one document on standard output, all else on standard error
  -h, --help

The model: OPENAI_BASE_URL (any OpenAI-compatible API), OPENAI_MODEL, OPENAI_API_KEY.
Exit code: 0 completed, or planned with --plan-only; 1 given up, declined, or it ended otherwise; 2 wrong usage;
3 server or model can't be reached; 130 Ctrl-C.
`;

export interface CommandLine {
  readonly goal: string;
  readonly yes: boolean;
  readonly planOnly: boolean;
  readonly json: boolean;
  readonly url: string;
  readonly token: string;
  readonly limits: PlanningLimits;
}

const URL_DEFAULT = 'http://127.0.0.1:7400';

/** @returns null: help is asked for @throws WrongUsage */
export function readCommandLine(argv: readonly string[], env: Surroundings['env']): CommandLine | null {
  const { values, positionals } = parsed(argv);
  if (values.help === true) return null;
  const [goal, ...rest] = positionals;
  if (goal === undefined || rest.length > 0) throw new WrongUsage(goal === undefined ? 'there is no goal' : 'the goal is one argument: put it in quotes');
  const { yes = false, 'plan-only': planOnly = false, json = false } = values;
  if (yes && planOnly) throw new WrongUsage('--yes and --plan-only exclude each other');
  const roundsMax = whole('--rounds', values.rounds);
  const tokensMax = whole('--tokens', values.tokens);
  const mode = oneOf('--mode', values.mode, ['saga', 'atomic']);
  const onFailure = oneOf('--on-failure', values['on-failure'], ['rollback', 'pause', 'keep']);
  const previews = oneOf('--previews', values.previews, ['none', 'summary', 'full']);
  const labels = Object.fromEntries((values.label ?? []).map(labelOf));
  return {
    goal, yes, planOnly, json, url: values.server ?? env['AIFIRST_URL'] ?? URL_DEFAULT, token: tokenOf(values['token-file'] ?? env['AIFIRST_TOKEN_FILE'], env['AIFIRST_TOKEN']),
    limits: {
      ...(values.include === undefined ? {} : { include: values.include }), ...(roundsMax === undefined ? {} : { roundsMax }), ...(tokensMax === undefined ? {} : { tokensMax }), ...(previews === undefined ? {} : { previews }),
      intent: { labels, ...(mode === undefined ? {} : { mode }), ...(onFailure === undefined ? {} : { onFailure }) },
    },
  };
}

function parsed(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv], allowPositionals: true, strict: true,
      options: {
        yes: flag, 'plan-only': flag, json: flag, help: { ...flag, short: 'h' }, include: { ...text, multiple: true }, label: { ...text, multiple: true }, rounds: text, tokens: text, previews: text,
        mode: text, 'on-failure': text, server: text, 'token-file': text,
      },
    });
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
}

function whole(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new WrongUsage(`${name} is a whole number from 1`);
  return Number(value);
}

function oneOf<T extends string>(name: string, value: string | undefined, values: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = values.find(one => one === value);
  if (found === undefined) throw new WrongUsage(`${name} is ${values.join(', ')}`);
  return found;
}

function labelOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new WrongUsage('--label is <name>=<value>');
  return [text.slice(0, at), text.slice(at + 1)];
}

function tokenOf(file: string | undefined, token: string | undefined): string {
  if (file !== undefined && file !== '') {
    try { return readFileSync(file, 'utf8').trim(); } catch (error) { throw new WrongUsage(`the token can't be read from \`${file}\`: ${(error as NodeJS.ErrnoException).code ?? 'it can\'t be opened'}`); }
  }
  if (token === undefined || token.trim() === '') throw new WrongUsage('there is no token: set AIFIRST_TOKEN, or AIFIRST_TOKEN_FILE or --token-file to the file that holds it (.aifirst/demo.token for the demonstration\'s agent)');
  return token.trim();
}
