import { AGENT_TASK, type AskedTask, type StepError, type TaskQuestions, type TaskState } from '@aifirst/contracts';
import type { ActResult, ProbeResult, StepCall, UndoResult } from '@aifirst/execution';
import { OperationalError, type Clock } from '@aifirst/kernel';
import type { BuiltinCapability } from './builtin-adapter';

/** Who keeps tasks, and answers for them. */
export type TaskDesk = { readonly [Q in keyof TaskQuestions]: (asked: TaskQuestions[Q][0]) => Promise<TaskQuestions[Q][1]> };

/** Each question waits so long for the end, then it is asked again. */
const SLICE_MS = 5_000;
/** After a question that nobody answered. */
const PAUSE_MS = 1_000;
const DEFAULT_TIMEOUT_MS = 600_000;

type Clean = StepError & { readonly clean: true };
const failedBy = (code: string, detail: string): ActResult => ({ outcome: 'failed', error: { code, detail, clean: true } satisfies Clean });
const unknownBy = (code: string, detail: string): ActResult => ({ outcome: 'unknown', error: { code, detail, clean: false } });
const standing = ({ workflow, detail }: Extract<TaskState, { state: 'blocked' }>): string => `what workflow \`${workflow}\` did for the task can not be taken back by itself: ${detail}`;

/** What a call that the process is stopping for is answered with. */
const DRAINED = Symbol('drained');

/**
 * Gives a task to another agent and waits for its result. What is done for it is in workflows of that agent; they are kept
 * track of where tasks are kept, and taken back there when the task ends without a result, or is undone.
 */
export const agentTask = (desk: TaskDesk, clock: Pick<Clock, 'after'>): BuiltinCapability => {
  /** Asks until there is an answer. A gateway that is away comes back, and knows all its tasks. */
  async function ask<A>(signal: AbortSignal, question: () => Promise<A>): Promise<A | typeof DRAINED> {
    for (;;) {
      if (isDraining(signal)) return DRAINED;
      const answer = await orDrained(signal, question()).catch((error: unknown) => {
        if (error instanceof OperationalError && error.retryable) return null as typeof NOT_ANSWERED;
        throw error;
      });
      if (answer === DRAINED) return DRAINED;
      if (answer !== NOT_ANSWERED) return (answer as { readonly value: A }).value;
      if (await orDrained(signal, new Promise<void>(resolve => { clock.after(PAUSE_MS, resolve); })) === DRAINED) return DRAINED;
    }
  }

  return {
    descriptor: {
      name: AGENT_TASK, version: '1', adapter: 'builtin', reversibility: 'reversible', outcome: 'transactional', undo: 'exact', timeoutMs: DEFAULT_TIMEOUT_MS,
      description: 'Gives a task to another agent, by its id or to whoever has a role, and waits for the result. What that agent does for it belongs to this transaction and is undone with it.',
      inputSchema: {
        type: 'object', additionalProperties: false, required: ['task'], oneOf: [{ required: ['agent'] }, { required: ['role'] }],
        properties: {
          agent: { type: 'string', minLength: 1, maxLength: 200, description: 'id of the agent that it is for' },
          role: { type: 'string', minLength: 1, maxLength: 200, description: 'any agent with this role' },
          task: { 'x-sensitive': 'content', description: 'what is to be done, any JSON' },
          resultSchema: { type: 'object', description: 'JSON Schema that the result has to fit' },
          leaseMs: { type: 'integer', minimum: 1_000, maximum: 3_600_000, default: 60_000, description: 'without a heartbeat for so long the claim is lost, and what was done is undone' },
          onLost: { enum: ['handOver', 'fail'], default: 'handOver' },
          claimsMax: { type: 'integer', minimum: 1, maximum: 20, default: 3 },
        },
      },
      // Why nothing is marked: a result is sealed already when it comes here.
      outputSchema: { type: 'object', additionalProperties: false, required: ['result', 'agent'], properties: { result: { description: 'what the agent answered with' }, agent: { type: 'string' } } },
      resources: [],
    },

    async execute(call) {
      const { signal } = call;
      const asked = askedBy(call);
      // Why a signal that never aborts where it tells of the time: what was given is withdrawn then, and waited for.
      for (;;) {
        const over = signal.aborted && !isDraining(signal);
        const answer = await ask(over ? NEVER : signal, () => (over
          ? desk.withdrawTask({ ...asked, code: 'TIMEOUT', detail: `not done within ${call.timeoutMs} ms`, waitMs: SLICE_MS })
          : inTime(signal, desk.task({ ...asked, waitMs: SLICE_MS })))).catch((error: unknown) => ({ error }));
        if (answer === DRAINED) return unknownBy('INTERRUPTED', 'the process is stopping; the task goes on');
        if (answer === TIME_IS_OVER) continue;
        if (answer === null) return failedBy('TIMEOUT', `not given within ${call.timeoutMs} ms`);
        if ('error' in answer) return unknownBy(codeOf(answer.error), 'nobody answers for the task');
        switch (answer.state) {
          case 'open': continue;
          case 'completed': return { outcome: 'succeeded', output: answer.output, after: {} };
          case 'failed': return failedBy(answer.code, answer.detail);
          case 'blocked': return unknownBy('OUTCOME_UNKNOWN', standing(answer));
          case 'undone': return failedBy('CANCELLED', 'the task was undone');
        }
      }
    },

    async probe(call): Promise<ProbeResult> {
      for (;;) {
        const state = await ask(call.signal, () => desk.findTask({ ...askedBy(call), waitMs: SLICE_MS }));
        if (state === DRAINED) return { outcome: 'cannotTell', detail: 'the process is stopping' };
        // Why: executing it again makes the task, goes on waiting for the one that is there, or is told how that one failed.
        if (state === null) return { outcome: 'didNotHappen' };
        switch (state.state) {
          case 'open': if (state.isEnding === true) continue; return { outcome: 'didNotHappen' };
          case 'completed': return { outcome: 'succeeded', output: state.output, after: {} };
          case 'failed': case 'undone': return { outcome: 'didNotHappen' };
          case 'blocked': return { outcome: 'cannotTell', detail: standing(state) };
        }
      }
    },

    async undo(call): Promise<UndoResult> {
      const { tenant, workflow, step, signal } = call;
      for (let again = true; ; again = false) {
        const state = await ask(signal, () => desk.undoTask({ tenant, workflow, step, again, waitMs: SLICE_MS }));
        if (state === DRAINED) return { outcome: 'unknown', error: { code: 'INTERRUPTED', detail: 'the process is stopping; the undo goes on', clean: false } };
        if (state === null) return { outcome: 'undone', verified: true, reason: null };
        switch (state.state) {
          case 'undone': return { outcome: 'undone', verified: state.verified, reason: state.reason };
          case 'blocked': return { outcome: 'blocked', conflict: { resource: `workflow://${state.workflow}`, what: standing(state), expected: 'rolledBack', found: 'rollbackBlocked' } };
          default: continue;
        }
      }
    },

    previewUndo: () => ({ outcome: 'wouldUndo', summary: 'every workflow that was begun for the task is taken back, the last first', conflicts: [], truncated: false }),
  };
};

const NOT_ANSWERED = null;
const TIME_IS_OVER = Symbol('time is over');
const NEVER = new AbortController().signal;

/** `workflow/step/generation/direction`. */
const generationOf = ({ key }: StepCall): number => Number(key.split('/')[2]);
const askedBy = (call: StepCall): AskedTask =>
  ({ tenant: call.tenant, workflow: call.workflow, step: call.step, generation: generationOf(call), agent: call.agent, input: call.input, timeoutMs: call.timeoutMs });

const isDraining = ({ aborted, reason }: AbortSignal): boolean => aborted && (reason as { code?: unknown } | undefined)?.code === 'DRAINING';
const codeOf = (error: unknown): string => (error instanceof OperationalError ? error.code : 'ADAPTER_ERROR');

/** The answer, boxed; or that the process stops. A signal that tells of the time is left alone. */
async function orDrained<A>(signal: AbortSignal, work: Promise<A>): Promise<{ readonly value: A } | typeof DRAINED> {
  return onAbort(signal, work.then(value => ({ value })), () => (isDraining(signal) ? DRAINED : undefined));
}

/** The answer, or that its time is over while it was waited for. */
const inTime = <A>(signal: AbortSignal, work: Promise<A>): Promise<A | typeof TIME_IS_OVER> => onAbort(signal, work, () => (isDraining(signal) ? undefined : TIME_IS_OVER));

function onAbort<A, B>(signal: AbortSignal, work: Promise<A>, answer: () => B | undefined): Promise<A | B> {
  return new Promise((resolve, reject) => {
    const look = (): void => { const now = answer(); if (now !== undefined) resolve(now); };
    if (signal.aborted) look(); else signal.addEventListener('abort', look, { once: true });
    work.then(resolve, reject).finally(() => { signal.removeEventListener('abort', look); });
  });
}
