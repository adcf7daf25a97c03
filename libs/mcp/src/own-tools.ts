import type { JsonObject } from '@aifirst/kernel';
import type { Tool, ToolAnnotations } from './tools';

/** What the gateway takes and answers, as its own document has it: objects at the root. */
export interface GatewaySchemas { readonly intent: JsonObject; readonly plan: JsonObject; readonly workflow: JsonObject }

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
    inputSchema: object({ capability: { type: 'string', description: 'its name' }, arguments: { type: 'object', description: 'as its `inputSchema` has it' } }, ['capability'], { additionalProperties: false }),
  },
];
export const FOUND_BY_DEFAULT = FOUND_DEFAULT;
