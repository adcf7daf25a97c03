import type { Json, JsonObject } from '@aifirst/kernel';
import type { Reversibility, ResourceTemplate, Risk } from './capability';
import type { Parent } from './task';

export type Mode = 'saga' | 'atomic';
export type OnFailure = 'rollback' | 'pause' | 'keep';

/** What an agent sends, after admission: defaults filled in, nothing unknown in it. */
export interface Intent {
  readonly goal: string;
  readonly mode: Mode;
  readonly onFailure: OnFailure;
  readonly deadlineMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly subjects: readonly string[];
  readonly steps: readonly IntentStep[];
  /** Of an interactive transaction, which begins without steps. */
  readonly interactive?: Interactive;
}
/** An interactive transaction: its agent adds steps as it reasons, and commits; left alone for so long it takes itself back. */
export interface Interactive { readonly idleTimeoutMs: number }
export interface IntentStep {
  readonly id: string;
  readonly capability: string;
  /** As sent, `$ref` and `$literal` in place; sensitive fields clear until the gateway seals them. */
  readonly input: JsonObject;
  readonly dependsOn: readonly string[];
  readonly timeoutMs: number;
  readonly retry: { readonly attemptsMax: number };
}

/** What can be told of a step's reach from its input alone. */
export interface StepHints {
  /** Nothing in it limits what it touches: a statement without a condition. */
  readonly unbounded?: boolean;
  /** It takes in all that is beneath what it names, or may. */
  readonly recursive?: boolean;
  /** The verb of a statement, in lower case. */
  readonly statement?: string;
}

/** What the risk of a step is weighed by, beside capability and connection. */
export interface Weighed {
  readonly hints?: StepHints;
  /** The connection's label `env` (or `environment`), as it was when the intent was admitted. */
  readonly environment?: string;
  /** How many things it would touch, as a preview has shown. */
  readonly reach?: number;
}

/** Only what is there, so that nothing is sent where nothing is known. */
export const weighedOf = ({ hints, environment, reach }: Weighed): Weighed =>
  ({ ...(hints === undefined ? {} : { hints }), ...(environment === undefined ? {} : { environment }), ...(reach === undefined ? {} : { reach }) });

/**
 * What a step is to the atomic commitment of its workflow. `work`: acts in the transaction that its connection has for the
 * workflow. `prepare`: makes that transaction durable and undecided. `commit`: the decision has been recorded, so it must happen.
 */
export type Phase = 'work' | 'prepare' | 'commit';

/** A step as the orchestrator runs it: all that is known of its capability without asking anybody. */
export interface PlannedStep extends Weighed {
  readonly id: string;
  readonly capability: string;
  readonly adapter: string;
  readonly reversibility: Reversibility;
  readonly connection: string | null;
  /** Of the connection as it was when the intent was admitted, `connectionStampOf`: who keeps a copy sees that there is a newer one. */
  readonly connectionStamp?: string;
  /** Mode `atomic` only; absent: takes no part in the commitment. Steps of phase `prepare` and `commit` are the engine's own, at the end of the plan. */
  readonly phase?: Phase;
  /** With `$ref` and `$literal` in place, sensitive values sealed. */
  readonly input: JsonObject;
  /** Indices into the plan: `dependsOn` and what `$ref` names, sorted, without repeats. */
  readonly after: readonly number[];
  readonly hasReferences: boolean;
  readonly resources: readonly ResourceTemplate[];
  readonly risk: Risk;
  /** What stands for `<scheme>://<connection>` in lock names, so that two connections to one thing are one thing: for files `file://` and the resolved root. Absent: the resource's own name. */
  readonly lockBase?: string;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  /** Of a step of an interactive transaction, as it was admitted: a repeat has the same. `sha256:<hex>`, keyed where it holds sensitive values. */
  readonly digest?: string;
}

/** One that the engine has added, not the agent. */
export const isEngineStep = ({ phase }: Pick<PlannedStep, 'phase'>): boolean => phase === 'prepare' || phase === 'commit';

/** What the agent has sent, without what the engine has added at the end. */
export const sentSteps = (steps: readonly PlannedStep[]): readonly PlannedStep[] => steps.filter(step => !isEngineStep(step));

/** A principal as it travels: the credential has decided tenant and id. */
export interface PrincipalRef { readonly kind: 'agent' | 'person' | 'service'; readonly id: string; readonly tenant: string }

/** `aifirst.orchestration.start-workflow.v1`, gateway → orchestrator. */
export interface StartWorkflow {
  readonly workflow: string;
  readonly intent: string;
  /** The id under which the agent knows the intent, where that is not `intent`: the CloudEvent's of an intent by Kafka. */
  readonly intentKnownAs?: string;
  readonly agent: PrincipalRef;
  readonly goal: string;
  readonly mode: Mode;
  readonly onFailure: OnFailure;
  readonly deadlineMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the admitted intent, `sha256:<hex>` (keyed where it holds sensitive values). */
  readonly digest: string;
  readonly steps: readonly PlannedStep[];
  /** Steps are added one by one, `steps` is empty at first. Mode `saga`, `onFailure: rollback`. */
  readonly interactive?: Interactive;
  /** It works a task of another workflow, and belongs to that one's transaction. */
  readonly parent?: Parent;
}

export type References = { readonly [key: string]: Json };
