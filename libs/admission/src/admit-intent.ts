import { isObject, type Json, type JsonObject, type Problem } from '@aifirst/kernel';
import { BASE_RISK, isLiteral, type CapabilityDescriptor, type Intent, type IntentStep, type PlannedStep, type TargetReach } from '@aifirst/contracts';
import { inCommitOrder } from './commitment';
import { readGoal, readLabels, readMode, readOnFailure, readParent, readSubjects, readTenant, readWhole, unknownFields } from './fields';
import { cyclesOf } from './graph';
import { pointerInBody, readInput, type ReadInput } from './input-reader';
import { inputProblems } from './input-schema';
import { ATTEMPTS, DEADLINE_MS, STEPS_MAX, TIMEOUT_MS } from './limits';
import { Problems } from './problems';
import { readSql, type ReadSql } from './sql-input';

/** What there is to call: by name, undefined when there is none. Descriptors are compiled once per object: hand out the same ones. */
export interface AdmissionContext {
  readonly capabilities: (name: string) => CapabilityDescriptor | undefined;
  readonly connections: (name: string) => { readonly adapter: string; readonly reach?: TargetReach } | undefined;
}

export type Admission =
  | { readonly ok: true; readonly intent: Intent; readonly plan: readonly PlannedStep[]; /** As the body names it; the credential decides. */ readonly tenant: string | null; /** The token of the task that it is done for: neither of the intent nor of its digest. */ readonly parent: string | null }
  | { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] };

/**
 * Whole or not at all: an intent with its plan, or everything that is wrong with it (the first hundred findings, `NOT_IMPLEMENTED`
 * first, then in the order of the body, cycles last). Asks nobody, changes nothing; the intent shares its values with the body.
 * @param body as `parseStrictJson` gives it
 */
export function admitIntent(body: unknown, context: AdmissionContext): Admission {
  const problems = new Problems();
  if (!isObject(body)) return refusal(problems, 'INVALID_FIELD', '', 'an intent is an object with `goal` and `steps`');
  if (body['planId'] !== undefined) return refusal(problems, 'INVALID_FIELD', '/planId', 'a plan stands for a whole intent: it is run by `POST /v1/intents` with `planId` alone');
  unknownFields(body, INTENT_FIELDS, '', problems);
  const goal = readGoal(body['goal'], problems);
  const mode = readMode(body['mode'], problems);
  const settled = {
    goal, mode,
    onFailure: readOnFailure(body['onFailure'], mode, problems),
    deadlineMs: readWhole(body['deadlineMs'], DEADLINE_MS, '/deadlineMs', problems),
    labels: readLabels(body['labels'], problems),
    subjects: readSubjects(body['subjects'], problems),
  };
  const tenant = readTenant(body['tenant'], problems);
  const parent = readParent(body['parent'], problems);
  const read = readSteps(body['steps'], context, problems);
  const after = connect(read, problems);
  const failed = (): Admission => ({ ok: false, problems: problems.ordered() as [Problem, ...Problem[]] });
  if (problems.found.length > 0) return failed();
  const plan = read.map((one, index) => planned(one, after[index]!));
  const ordered = mode === 'atomic' ? inCommitOrder(plan, index => read[index]!.capability, read.map(({ base }) => base), problems) : plan;
  return problems.found.length > 0 ? failed() : { ok: true, intent: { ...settled, steps: read.map(({ step }) => step) }, plan: ordered, tenant, parent };
}

const INTENT_FIELDS: ReadonlySet<string> = new Set(['goal', 'mode', 'onFailure', 'deadlineMs', 'labels', 'subjects', 'steps', 'tenant', 'planId', 'parent']);
const STEP_FIELDS: ReadonlySet<string> = new Set(['id', 'capability', 'input', 'dependsOn', 'timeoutMs', 'retry']);
const RETRY_FIELDS: ReadonlySet<string> = new Set(['attemptsMax']);
const STEP_ID = /^[A-Za-z0-9_-]{1,64}$/;
const NO_INPUT: JsonObject = Object.freeze({});

function refusal(problems: Problems, code: string, pointer: string, detail: string): Admission {
  problems.add(code, pointer, detail);
  return { ok: false, problems: problems.ordered() as [Problem, ...Problem[]] };
}

export interface ReadStep { readonly step: IntentStep; readonly base: string; readonly input: ReadInput; readonly capability: CapabilityDescriptor | undefined; readonly connection: string | null; readonly sql: ReadSql | null }

function readSteps(value: unknown, context: AdmissionContext, problems: Problems): readonly ReadStep[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > STEPS_MAX) {
    problems.add('INVALID_FIELD', '/steps', value === undefined ? 'steps are required' : `is a list of 1 to ${STEPS_MAX} steps`);
    return [];
  }
  return value.map((step: unknown, index) => readStep(step, `/steps/${index}`, context, problems));
}

export function readStep(value: unknown, base: string, context: AdmissionContext, problems: Problems): ReadStep {
  if (!isObject(value)) problems.add('INVALID_FIELD', base, 'a step is an object with `id` and `capability`');
  const fields = isObject(value) ? value : NO_INPUT;
  const missing = fields === NO_INPUT;
  if (!missing) unknownFields(fields, STEP_FIELDS, base, problems);
  const id = fields['id'];
  if (!missing && (typeof id !== 'string' || !STEP_ID.test(id))) problems.add('INVALID_FIELD', `${base}/id`, 'a step has an id of 1 to 64 letters, digits, `_` and `-`');
  const name = fields['capability'];
  const capability = typeof name === 'string' ? context.capabilities(name) : undefined;
  if (!missing && typeof name !== 'string') problems.add('INVALID_FIELD', `${base}/capability`, "is a capability's name");
  else if (!missing && capability === undefined) problems.add('UNKNOWN_CAPABILITY', `${base}/capability`, 'there is no capability of this name');
  const { input, connection, sql } = readStepInput(fields['input'], `${base}/input`, capability, context, problems);
  const step: IntentStep = {
    id: typeof id === 'string' ? id : '',
    capability: typeof name === 'string' ? name : '',
    input: isObject(fields['input']) ? fields['input'] : NO_INPUT,
    dependsOn: readDependsOn(fields['dependsOn'], `${base}/dependsOn`, problems),
    timeoutMs: readWhole(fields['timeoutMs'], capability?.timeoutMs === undefined ? TIMEOUT_MS : { ...TIMEOUT_MS, default: capability.timeoutMs }, `${base}/timeoutMs`, problems),
    retry: { attemptsMax: readAttempts(fields['retry'], `${base}/retry`, problems) },
  };
  return { step, base, input, capability, connection, sql };
}

function readDependsOn(value: unknown, pointer: string, problems: Problems): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(id => typeof id === 'string')) return value;
  problems.add('INVALID_FIELD', pointer, 'is a list of step ids');
  return [];
}

function readAttempts(value: unknown, pointer: string, problems: Problems): number {
  if (value === undefined) return ATTEMPTS.default;
  if (!isObject(value)) { problems.add('INVALID_FIELD', pointer, 'is an object with `attemptsMax`'); return ATTEMPTS.default; }
  unknownFields(value, RETRY_FIELDS, pointer, problems);
  return readWhole(value['attemptsMax'], ATTEMPTS, `${pointer}/attemptsMax`, problems);
}

const EMPTY: ReadInput = { shown: NO_INPUT, references: [], literals: [] };

function readStepInput(value: Json | undefined, base: string, capability: CapabilityDescriptor | undefined, context: AdmissionContext, problems: Problems): Pick<ReadStep, 'input' | 'connection' | 'sql'> {
  if (value !== undefined && !isObject(value)) {
    problems.add('INVALID_INPUT', base, 'is an object');
    return { input: EMPTY, connection: null, sql: null };
  }
  const before = problems.found.length;
  const input = value === undefined ? EMPTY : readInput(value, base, problems);
  if (capability === undefined) return { input, connection: null, sql: null };
  const connection = capability.adapter === 'builtin' ? null : readConnection(value?.['connection'], `${base}/connection`, capability, context, problems);
  // Why: an input that is not what it seems, reference by reference, would be told of again by its schema.
  const wellFormed = value === undefined || !(Object.hasOwn(value, '$ref') || Object.hasOwn(value, '$literal'));
  if (wellFormed) {
    const wild = input.references.length > 0 || problems.found.length > before;
    for (const { code, pointer, detail } of inputProblems(capability, input.shown, wild)) problems.add(code, base + pointerInBody(input, pointer), detail);
  }
  return { input, connection, sql: wellFormed && value !== undefined ? readSql(capability, value, input, connection === null ? undefined : context.connections(connection)?.reach, base, problems) : null };
}

function readConnection(value: Json | undefined, pointer: string, capability: CapabilityDescriptor, context: AdmissionContext, problems: Problems): string | null {
  if (isObject(value)) {
    // Why: who may act on what is decided by the connection, so that it must be known before anything runs.
    problems.add('INVALID_REFERENCE', pointer, 'a connection is named outright, never by reference');
    return null;
  }
  if (typeof value !== 'string') {
    problems.add('UNKNOWN_CONNECTION', pointer, `capability \`${capability.name}\` needs the name of a connection`);
    return null;
  }
  const connection = context.connections(value);
  if (connection === undefined) problems.add('UNKNOWN_CONNECTION', pointer, 'there is no connection of this name');
  else if (connection.adapter !== capability.adapter) problems.add('UNKNOWN_CONNECTION', pointer, `capability \`${capability.name}\` needs a connection of adapter \`${capability.adapter}\`, this one is of \`${connection.adapter}\``);
  return value;
}

/** Per step, what it waits for: sorted, without repeats. Notes repeated and unknown ids, and cycles. */
function connect(steps: readonly ReadStep[], problems: Problems): readonly (readonly number[])[] {
  const indexOf = new Map<string, number>();
  steps.forEach(({ step: { id }, base }, index) => {
    if (id === '') return;
    const first = indexOf.get(id);
    if (first === undefined) indexOf.set(id, index);
    else problems.add('DUPLICATE_STEP', `${base}/id`, `step ${first} has the id \`${id.slice(0, 64)}\` already`);
  });
  const after = steps.map(({ step, base, input }, own) => {
    if (step.dependsOn.length === 0 && input.references.length === 0) return NOTHING;
    const found = new Set<number>();
    step.dependsOn.forEach((id, place) => {
      const index = indexOf.get(id);
      if (index === undefined) problems.add('UNKNOWN_STEP', `${base}/dependsOn/${place}`, 'there is no step of this id');
      else found.add(index);
    });
    for (const reference of input.references) {
      const index = indexOf.get(reference.step);
      const pointer = `${base}/input${reference.at}`;
      if (index === undefined) problems.add('UNKNOWN_STEP', pointer, `there is no step \`${reference.step}\` to refer to`);
      else if (index === own) problems.add('INVALID_REFERENCE', pointer, "a step can't refer to its own output");
      else found.add(index);
    }
    return [...found].sort((a, b) => a - b);
  });
  for (const cycle of cyclesOf(after)) {
    const names = cycle.slice(0, NAMED_MAX).map(index => `\`${steps[index]!.step.id}\``);
    const rest = cycle.length > NAMED_MAX ? ` → … (${cycle.length - NAMED_MAX} more)` : '';
    problems.add('CYCLE', steps[cycle[0]!]!.base, `these steps wait for one another: ${names.join(' → ')}${rest} → ${names[0]!}`);
  }
  return after;
}
const NOTHING: readonly number[] = [];
const NAMED_MAX = 10;

export function planned({ step, input, capability, connection, sql }: ReadStep, after: readonly number[]): PlannedStep {
  const { adapter, reversibility, resources } = capability!;
  return {
    id: step.id, capability: step.capability, adapter, reversibility, connection, input: step.input, after, hasReferences: input.references.length > 0 || input.literals.length > 0,
    resources: sql?.resources ?? resources, risk: BASE_RISK[reversibility], timeoutMs: step.timeoutMs, attemptsMax: step.retry.attemptsMax,
    ...(isRecursive(step.input) && reversibility !== 'readOnly' ? RECURSIVE : {}), ...(sql === null ? {} : { hints: sql.hints }),
  };
}

const RECURSIVE: Pick<PlannedStep, 'hints'> = Object.freeze({ hints: Object.freeze({ recursive: true }) });
/** By the word that capabilities have for it. What a reference stands for is not known, so that it counts. */
const isRecursive = ({ recursive }: JsonObject): boolean => recursive === true || (isLiteral(recursive) ? recursive.$literal === true : isObject(recursive));
