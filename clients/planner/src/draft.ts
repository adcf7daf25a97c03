import type { PlanProblem } from './errors';
import { isObject, isWithin, listOf, textOf, type Json, type JsonObject } from './json';
import { objectIn } from './model/chat-answer';
import type { ModelAnswer } from './model/model';
import { clean } from './show/clean';

export interface DraftStep { readonly id: string; readonly capability: string; readonly input: JsonObject; readonly dependsOn: readonly string[] }
/** What the model proposes: data, of which nothing else is kept. */
export interface Draft {
  /** What it says the steps do. Shown to people, never used. */
  readonly understood: string;
  readonly steps: readonly DraftStep[];
}

export type ReadDraft =
  | { readonly draft: Draft }
  /** The model says that it can't be done. */
  | { readonly cannot: string }
  | { readonly problems: readonly PlanProblem[] };

/** As deep as an intent may be, less what is around an input. */
const DEPTH_MAX = 60;
const PROBLEMS_MAX = 20;
const UNDERSTOOD_CHARS_MAX = 1_000;
const STEP_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** What models like to add for their readers: it changes nothing, and is dropped. */
const REMARKS = new Set(['comment', 'description', 'explanation', 'notes', 'rationale', 'reason', 'reasoning', 'summary', 'thought', 'thoughts', 'title', 'name']);
const MEMBERS = new Set(['goal', 'steps', 'cannot']);
const STEP_MEMBERS = new Set(['id', 'capability', 'input', 'dependsOn']);

/** The form in which a model is asked for it. Capabilities are checked by the server, which alone knows them. */
export const DRAFT_SCHEMA: JsonObject = {
  type: 'object',
  properties: {
    goal: { type: 'string', description: 'in one sentence: what these steps do' },
    steps: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id: { type: 'string', description: '1 to 64 letters, digits, _ and -' }, capability: { type: 'string', description: 'the name of a listed capability' },
          input: { type: 'object', description: 'as the schema of the capability asks for' }, dependsOn: { type: 'array', items: { type: 'string' }, description: 'ids of steps that have to be done before' },
        },
        required: ['id', 'capability', 'input'], additionalProperties: false,
      },
    },
    cannot: { type: 'string', description: 'only if the goal can not be reached with what is listed: why. Then steps is empty' },
  },
  required: ['goal', 'steps'], additionalProperties: false,
};

/**
 * Reads what a model answered. A member that is not a proposal's (a mode, an agent, an approval, a misspelt `dependsOn`)
 * is refused rather than dropped: the model believes that it means something.
 */
export function readDraft({ text, isCut }: ModelAnswer, stepsMax: number): ReadDraft {
  const value = objectIn(text);
  if (value === null) {
    return problem(isCut ? 'ANSWER_CUT' : 'NOT_JSON', isCut ? 'the answer was cut off before it was complete: propose fewer or smaller steps' : 'the answer is not one JSON object with `goal` and `steps`');
  }
  if (!isWithin(value, DEPTH_MAX)) return problem('TOO_DEEP', `the answer is nested deeper than ${DEPTH_MAX} levels`);
  const { steps, cannot } = value;
  if (typeof cannot === 'string' && cannot.trim() !== '' && listOf(steps).length === 0) return { cannot: clean(cannot, UNDERSTOOD_CHARS_MAX) };
  const problems: PlanProblem[] = [];
  unknownMembers(value, MEMBERS, '', problems);
  if (!Array.isArray(steps) || steps.length === 0) problems.push({ code: 'INVALID_FIELD', pointer: '/steps', detail: 'is a list of at least one step; if nothing can be done, say why in `cannot`' });
  else if (steps.length > stepsMax) problems.push({ code: 'INVALID_FIELD', pointer: '/steps', detail: `is a list of at most ${stepsMax} steps` });
  else {
    const read = listOf(steps).map((step, index) => readStep(step, `/steps/${index}`, problems));
    if (problems.length === 0) return { draft: { understood: clean(textOf(value['goal']), UNDERSTOOD_CHARS_MAX), steps: read } };
  }
  return { problems: problems.slice(0, PROBLEMS_MAX) };
}

function readStep(value: Json, base: string, problems: PlanProblem[]): DraftStep {
  if (!isObject(value)) {
    problems.push({ code: 'INVALID_FIELD', pointer: base, detail: 'a step is an object with `id`, `capability` and `input`' });
    return { id: '', capability: '', input: {}, dependsOn: [] };
  }
  const { id, capability, dependsOn } = value;
  unknownMembers(value, STEP_MEMBERS, base, problems);
  if (typeof id !== 'string' || !STEP_ID.test(id)) problems.push({ code: 'INVALID_FIELD', pointer: `${base}/id`, detail: 'is 1 to 64 letters, digits, `_` and `-`' });
  if (typeof capability !== 'string' || capability === '') problems.push({ code: 'INVALID_FIELD', pointer: `${base}/capability`, detail: 'is the name of a listed capability' });
  const input = inputOf(value['input']);
  if (input === null) problems.push({ code: 'INVALID_FIELD', pointer: `${base}/input`, detail: 'is an object' });
  const before = dependsOn === undefined || dependsOn === null ? [] : dependsOn;
  const isList = Array.isArray(before) && listOf(before).every(one => typeof one === 'string');
  if (!isList) problems.push({ code: 'INVALID_FIELD', pointer: `${base}/dependsOn`, detail: 'is a list of ids of steps' });
  return { id: textOf(id), capability: textOf(capability), input: input ?? {}, dependsOn: isList ? listOf(before) as readonly string[] : [] };
}

/** Some models give nested objects as a text of JSON. */
function inputOf(value: Json | undefined): JsonObject | null {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'string') return isObject(value) ? value : null;
  const inside = objectIn(value);
  return inside !== null && isWithin(inside, DEPTH_MAX) ? inside : null;
}

function unknownMembers(value: JsonObject, known: ReadonlySet<string>, base: string, problems: PlanProblem[]): void {
  for (const name of Object.keys(value)) {
    if (known.has(name) || REMARKS.has(name)) continue;
    problems.push({ code: 'UNKNOWN_FIELD', pointer: `${base}/${clean(name, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`, detail: `there is no such member: ${base === '' ? 'a proposal' : 'a step'} has ${[...known].map(one => `\`${one}\``).join(', ')}; nothing else is yours to say` });
  }
}

const problem = (code: string, detail: string): ReadDraft => ({ problems: [{ code, detail }] });
