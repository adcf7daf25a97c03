import type { JsonObject } from '@aifirst/kernel';
import type { Tool, ToolAnnotations } from './tools';

/** What the gateway takes and answers, as its own document has it: objects at the root. */
export interface GatewaySchemas { readonly intent: JsonObject; readonly plan: JsonObject; readonly workflow: JsonObject; /** What begins an interactive one. */ readonly transaction: JsonObject }

const READS: ToolAnnotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
/** What is in it is known only when it is called. */
const ANYTHING: ToolAnnotations = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true };

const object = (properties: JsonObject, required: readonly string[] = [], more: JsonObject = {}): JsonObject => ({ type: 'object', properties, required, ...more });

export const FOUND_MAX = 20;
const FOUND_DEFAULT = 5;

/** Besides the capabilities: what an agent does with several of them at once. */
export function intentTools({ intent, plan, workflow }: GatewaySchemas): readonly Tool[] {
  const properties = intent['properties'] as JsonObject;
  return [
    {
      name: 'plan_intent', title: 'Plan an intent', annotations: READS,
      description: 'Shows what several steps would do as one transaction, without doing them: the order, the decision of policy, the risk, the change and the undo of each step. '
        + 'Takes `goal` and `steps`, or the `planId` of a plan that was still being made. Run exactly what was shown with submit_intent and its `planId`.',
      inputSchema: object({ ...properties, planId: { type: 'string', description: 'of a plan that was asked for before; then nothing else' } }, [], { additionalProperties: false }), outputSchema: plan,
    },
    {
      name: 'submit_intent', title: 'Submit an intent', annotations: ANYTHING,
      description: 'Carries out several steps as one transaction: if one fails, what the others did is undone. Steps without `dependsOn` run in parallel; `{ "$ref": "#/steps/<id>/output/<field>" }` in an input stands for an output. '
        + 'Takes `goal` and `steps`, or the `planId` of plan_intent alone. Answers with the workflow.',
      inputSchema: object({ ...properties, planId: { type: 'string', description: 'a plan of plan_intent: exactly that is run, or nothing; then nothing else' } }, [], { additionalProperties: false }), outputSchema: workflow,
    },
    {
      name: 'get_workflow', title: 'Get a workflow', annotations: READS,
      description: 'Shows a workflow of this agent with its steps, their outputs and errors: one that was still running, or waits for a person.',
      inputSchema: object({ workflowId: { type: 'string', format: 'uuid', description: 'as an earlier answer named it' } }, ['workflowId'], { additionalProperties: false }), outputSchema: workflow,
    },
  ];
}

/** A word that changes what is recorded, and nothing at a target. */
const RECORDS: ToolAnnotations = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
const SAID_AGAIN: ToolAnnotations = { ...RECORDS, idempotentHint: true };
/** What is undone is not done again by a word. */
const UNDOES: ToolAnnotations = { ...SAID_AGAIN, destructiveHint: true };

export const REASON_CHARS_MAX = 1_000;
const NAMED: JsonObject = { transaction: { type: 'string', description: 'as begin_transaction answered' } };

/** To act, look at what came of it, and act again, as one transaction. */
export function transactionTools({ transaction, workflow }: GatewaySchemas): readonly Tool[] {
  const begun: JsonObject = { ...workflow, properties: { transaction: { type: 'string', description: 'calls that belong to it name it so' }, ...workflow['properties'] as JsonObject }, required: ['transaction', ...(workflow['required'] ?? []) as readonly string[]] };
  return [
    {
      name: 'begin_transaction', title: 'Begin a transaction', annotations: RECORDS,
      description: 'Begins a transaction of calls that are decided one by one: act, look at what came of it, act again. Give the `transaction` of the answer to every call that belongs to it. '
        + 'Each call takes effect at once; commit_transaction keeps all of it, rollback_transaction undoes all of it, and left alone for `idleTimeoutMs` it undoes itself.',
      inputSchema: transaction, outputSchema: begun,
    },
    {
      name: 'commit_transaction', title: 'Commit a transaction', annotations: SAID_AGAIN,
      description: 'Ends a transaction and keeps what its calls did. Calls that failed had no effect and do not keep it from that. Waits for what still runs. Answers with the workflow.',
      inputSchema: object(NAMED, ['transaction'], { additionalProperties: false }), outputSchema: workflow,
    },
    {
      name: 'rollback_transaction', title: 'Roll a transaction back', annotations: UNDOES,
      description: 'Undoes all that the calls of a transaction did, waits for that, and says whether it was verified or what is in the way. Answers with the workflow. One that is committed takes the right to roll back.',
      inputSchema: object({ ...NAMED, reason: { type: 'string', maxLength: REASON_CHARS_MAX, description: 'why, for the record' } }, ['transaction'], { additionalProperties: false }), outputSchema: workflow,
    },
  ];
}

/** The argument by which a call names its transaction. */
export const TRANSACTION = 'transaction';
export const TRANSACTION_ARGUMENT: JsonObject = { type: 'string', description: 'of begin_transaction, if the call belongs to one' };

/** What stands for capabilities that are too many to be listed. */
export const DIRECTORY_TOOLS: readonly Tool[] = [
  {
    name: 'find_capabilities', title: 'Find capabilities', annotations: READS,
    description: 'Finds capabilities by words of their names and descriptions, with what they take and answer. There are more than are listed as tools.',
    inputSchema: object({ query: { type: 'string', description: 'words; all of them must occur' }, limit: { type: 'integer', minimum: 1, maximum: FOUND_MAX, default: FOUND_DEFAULT } }, [], { additionalProperties: false }),
    outputSchema: object({
      items: { type: 'array', items: object({ capability: { type: 'string' }, tool: { type: 'string' }, description: { type: 'string' }, reversibility: { type: 'string' }, inputSchema: { type: 'object' }, outputSchema: { type: 'object' } }, ['capability', 'tool', 'description', 'reversibility', 'inputSchema', 'outputSchema']) },
      more: { type: 'integer', description: 'how many more there are' },
    }, ['items', 'more']),
  },
  {
    name: 'call_capability', title: 'Call a capability', annotations: ANYTHING,
    description: 'Calls a capability that find_capabilities has found, like a tool of its own.',
    inputSchema: object({ capability: { type: 'string', description: 'its name' }, arguments: { type: 'object', description: 'as its `inputSchema` has it' }, [TRANSACTION]: TRANSACTION_ARGUMENT }, ['capability'], { additionalProperties: false }),
  },
];
export const FOUND_BY_DEFAULT = FOUND_DEFAULT;
