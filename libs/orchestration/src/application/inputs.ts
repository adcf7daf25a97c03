import { eventType, isFactTopic, TOPICS, type PlanDecided, type StartWorkflow, type StepReported } from '@aifirst/contracts';
import type { Delivery } from '@aifirst/bus';
import { isObject, isUuid, OperationalError, type Json, type JsonObject } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import type { Input } from '../domain/decide';

/** A batch of the bus that waits until all of it is committed. */
export interface Intake {
  readonly positions: Positions;
  /** How many of its inputs are still in the queue. */
  queued: number;
  /** What one of its inputs ran into: the bus has to find out which, and to park it. */
  defect: unknown;
  resolve(): void;
  reject(error: unknown): void;
}

export interface Answer { resolve(sequence: number): void; reject(error: unknown): void }

/** Something to be brought to a workflow. */
export interface Work {
  readonly workflow: string;
  readonly input: Input;
  readonly tenant: string;
  readonly causation: string | undefined;
  readonly intake?: Intake;
  readonly answer?: Answer;
}

/** About how much one commit may hold, so that a flood of large plans makes many commits and not one that no database takes. */
export const WEIGHT_MAX = 10_000;
export const weightOf = ({ input }: Work): number => (input.type === 'Submitted' ? 1 + input.start.steps.length : input.type === 'Decided' ? 1 + input.decided.decisions.length : 1);

const START = eventType('orchestration', 'StartWorkflow');
const DECIDED = eventType('policy', 'PlanDecided');
const REPORTED = eventType('execution', 'StepReported');

/** @returns null where it is nothing for the orchestrator. @throws OperationalError `MALFORMED_MESSAGE` (not retryable: it is parked) */
export function workOf({ message: { topic, event } }: Delivery): Work | null {
  const { type, data } = event;
  const isStart = topic === TOPICS.workflowCommands && type === START;
  const isDecided = topic === TOPICS.decisionEvents && type === DECIDED;
  const isReported = topic === TOPICS.stepEvents && type === REPORTED;
  if (!isStart && !isDecided && !isReported) return null;
  const { workflow } = data;
  const isFit = isStart ? fitsStart(data) : isDecided ? fitsDecided(data) : fitsReported(data);
  if (typeof workflow !== 'string' || !isUuid(workflow) || !isFit) throw new OperationalError('MALFORMED_MESSAGE', `event \`${event.id}\` is not as its type \`${type}\` says`);
  const base = { workflow, tenant: event.tenant, causation: isFactTopic(topic) ? event.id : event.causationid ?? event.id };
  if (isStart) return { ...base, input: { type: 'Submitted', start: data as unknown as StartWorkflow, traceparent: event.traceparent } };
  if (isDecided) return { ...base, input: { type: 'Decided', decided: data as unknown as PlanDecided } };
  return { ...base, input: { type: 'Reported', report: data as unknown as StepReported } };
}

// Only what the rules would stumble over: one message that does is to be parked, not to stop the others.
const isCount = (value: Json | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const areObjects = (value: Json | undefined): value is readonly JsonObject[] => Array.isArray(value) && value.every(isObject);

const fitsStart = ({ agent, steps, deadlineMs, interactive }: JsonObject): boolean => isObject(agent) && typeof agent['id'] === 'string' && isCount(deadlineMs)
  && areObjects(steps) && (interactive === undefined ? steps.length > 0 : steps.length === 0 && isObject(interactive) && isCount(interactive['idleTimeoutMs'])) && steps.every(({ id, after, input, resources, timeoutMs, attemptsMax }) =>
  typeof id === 'string' && isObject(input) && areObjects(resources) && isCount(timeoutMs) && isCount(attemptsMax) && Array.isArray(after) && after.every(before => isCount(before as Json) && before < steps.length));

const fitsDecided = ({ question, controlEpoch, decisions }: JsonObject): boolean => isCount(question) && isCount(controlEpoch) && areObjects(decisions)
  && decisions.every(({ step, generation, outcome }) => typeof step === 'string' && isCount(generation) && typeof outcome === 'string');

const fitsReported = ({ step, index, generation, direction, attempt, outcome, probe }: JsonObject): boolean => typeof step === 'string' && isCount(index) && isCount(generation)
  && (direction === 'forward' || direction === 'undo') && isCount(attempt) && typeof outcome === 'string' && isCount(probe);
