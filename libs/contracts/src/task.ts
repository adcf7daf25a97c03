import type { Json, JsonObject } from '@aifirst/kernel';
import type { PrincipalRef } from './intent';

/**
 * Of a workflow that an agent makes to work a task (capability `agent.task`): it belongs to the transaction of the workflow
 * whose step gave the task, and may do what everybody in the chain may.
 */
export interface Parent {
  readonly workflow: string;
  readonly step: string;
  readonly task: string;
  /** Whose transaction all of it is: the workflow at the beginning of the chain. */
  readonly root: string;
  /** On whose behalf it acts: whose transaction it is first, whoever gave this task last. At most `CHAIN_MAX`. */
  readonly chain: readonly PrincipalRef[];
}
export const CHAIN_MAX = 8;

/** The built-in capability whose steps are worked by other agents. */
export const AGENT_TASK = 'agent.task';
/** What `agent.task` does until it ends is in workflows of others, at any time in between. */
export const delegates = (capability: string): boolean => capability === AGENT_TASK;

export const TASK_STATUSES = ['open', 'claimed', 'undoing', 'completed', 'failed', 'withdrawn', 'undone'] as const;
/** `undoing`: what was done for it is being taken back; it is `open` again, `failed`, `withdrawn` or `undone` then. */
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** What a step gives: whoever asks twice for the same generation gets the same task. */
export interface AskedTask {
  readonly tenant: string;
  readonly workflow: string;
  readonly step: string;
  readonly generation: number;
  /** Who delegates. */
  readonly agent: PrincipalRef;
  /** Of the step; sensitive values are sealed in it. */
  readonly input: JsonObject;
  readonly timeoutMs: number;
}
/** A task as its step sees it. `verified`: what was done for it was read again after it was taken back. */
export type TaskState =
  /** `isEnding`: what was done for it is being taken back; it is `open` again then, or has ended. */
  | { readonly state: 'open'; readonly isEnding?: true }
  /** `output` of the step, sealed where it is sensitive. */
  | { readonly state: 'completed'; readonly output: Json }
  /** Nothing that was done for it stands. */
  | { readonly state: 'failed'; readonly code: string; readonly detail: string }
  | { readonly state: 'undone'; readonly verified: boolean; readonly reason: string | null }
  /** Something that was done for it can't be taken back: a person has to look at that workflow. */
  | { readonly state: 'blocked'; readonly workflow: string; readonly detail: string };

/** What the gateway answers about tasks, which it keeps: each answer waits up to `waitMs` (at most 30,000) for the end. */
export interface TaskQuestions {
  /** The task of a step; it is made if it is not there. */
  task: [AskedTask & { readonly waitMs: number }, TaskState];
  /** As `task`, but makes none: null. */
  findTask: [Pick<AskedTask, 'tenant' | 'workflow' | 'step' | 'generation'> & { readonly waitMs: number }, TaskState | null];
  /** Ends it without a result, and takes back what was done for it. null: there is none. */
  withdrawTask: [Pick<AskedTask, 'tenant' | 'workflow' | 'step' | 'generation'> & { readonly code: string; readonly detail: string; readonly waitMs: number }, TaskState | null];
  /** Takes back what was done for it. `again`: also what was blocked before. null: there is none. */
  undoTask: [Pick<AskedTask, 'tenant' | 'workflow' | 'step'> & { readonly again: boolean; readonly waitMs: number }, TaskState | null];
}
