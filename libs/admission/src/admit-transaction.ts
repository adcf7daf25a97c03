import { isObject, type Problem } from '@aifirst/kernel';
import type { Intent, IntentStep, PlannedStep } from '@aifirst/contracts';
import { planned, readStep, type AdmissionContext } from './admit-intent';
import { readGoal, readLabels, readMode, readParent, readSubjects, readTenant, readWhole, unknownFields } from './fields';
import { IDLE_TIMEOUT_MS, TRANSACTION_DEADLINE_MS } from './limits';
import { Problems } from './problems';

interface Refused { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] }
export type TransactionAdmission = Refused | { readonly ok: true; readonly intent: Intent; /** As the body names it; the credential decides. */ readonly tenant: string | null; /** The token of the task that it is done for. */ readonly parent: string | null };
export type StepAdmission = Refused | {
  readonly ok: true;
  readonly step: IntentStep;
  /** `after` is empty: only the transaction's owner knows the places of what it rests on. */
  readonly plan: PlannedStep;
  /** What it rests on, by `dependsOn` and by references, and where in the body that is said. */
  readonly restsOn: readonly { readonly step: string; readonly at: string }[];
};

const TRANSACTION_FIELDS: ReadonlySet<string> = new Set(['goal', 'mode', 'idleTimeoutMs', 'deadlineMs', 'labels', 'subjects', 'tenant', 'parent']);

/** What begins an interactive transaction: whole or not at all, as `admitIntent`. @param body as `parseStrictJson` gives it */
export function admitTransaction(body: unknown): TransactionAdmission {
  const problems = new Problems();
  if (!isObject(body)) { problems.add('INVALID_FIELD', '', 'a transaction is begun with an object with `goal`'); return refused(problems); }
  unknownFields(body, TRANSACTION_FIELDS, '', problems);
  const goal = readGoal(body['goal'], problems);
  if (readMode(body['mode'], problems) === 'atomic') problems.add('INVALID_FIELD', '/mode', 'is `saga`: each step of an interactive transaction takes effect at once, so that the next can be chosen by what it did; send an intent with all its steps for mode `atomic`');
  const interactive = { idleTimeoutMs: readWhole(body['idleTimeoutMs'], IDLE_TIMEOUT_MS, '/idleTimeoutMs', problems) };
  const deadlineMs = readWhole(body['deadlineMs'], TRANSACTION_DEADLINE_MS, '/deadlineMs', problems);
  const labels = readLabels(body['labels'], problems);
  const subjects = readSubjects(body['subjects'], problems);
  const tenant = readTenant(body['tenant'], problems);
  const parent = readParent(body['parent'], problems);
  if (problems.found.length > 0) return refused(problems);
  return { ok: true, intent: { goal, mode: 'saga', onFailure: 'rollback', deadlineMs, labels, subjects, steps: [], interactive }, tenant, parent };
}

/** One step of an interactive transaction, as one of an intent; what it names of other steps is for the transaction's owner to find. */
export function admitStep(body: unknown, context: AdmissionContext): StepAdmission {
  const problems = new Problems();
  const read = readStep(body, '', context, problems);
  const { step, input: { references } } = read;
  const restsOn = [...step.dependsOn.map((id, place) => ({ step: id, at: `/dependsOn/${place}` })), ...references.map(reference => ({ step: reference.step, at: `/input${reference.at}` }))];
  for (const { step: id, at } of restsOn) if (id === step.id && id !== '') problems.add(at.startsWith('/input') ? 'INVALID_REFERENCE' : 'CYCLE', at, 'a step can not wait for itself');
  return problems.found.length > 0 ? refused(problems) : { ok: true, step, plan: planned(read, []), restsOn };
}

const refused = (problems: Problems): Refused => ({ ok: false, problems: problems.ordered() as [Problem, ...Problem[]] });
