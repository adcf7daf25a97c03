import type { JsonObject } from '@aifirst/kernel';
import type { ProgressReport } from './progress';

/** One `tools/call`. */
export interface ToolCall {
  readonly name: string;
  readonly input: JsonObject;
  readonly meta: JsonObject;
  /** The program that calls, as it says; null: it does not say. */
  readonly client: string | null;
  /** Its client does not wait any more. */
  readonly signal: AbortSignal;
  /** That its client has gone takes the call back (revision 2026-07-28); else it only means that nobody waits. */
  readonly goneIsCancelled: boolean;
  /** Absent: nobody asked to be told. */
  readonly progress?: (report: ProgressReport) => Promise<void>;
}

/** What a call has given wrongly, beside what admission looks at. Its message can be told. */
export class BadArgument extends Error {}
