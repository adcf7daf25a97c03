/** Every topic of ours: `aifirst.<context>.<entity>.<events|commands>.v<major>`, but the three that agents see, which have names of their own. */
export const TOPICS = {
  /** gateway → orchestrator: an admitted intent. Key: workflow. */
  workflowCommands: 'aifirst.orchestration.workflow.commands.v1',
  /** orchestrator → everybody: the facts of workflows. Key: workflow. */
  workflowEvents: 'aifirst.workflow.events.v1',
  /** gateway → agents: accepted and refused intents. Key: agent. */
  intentEvents: 'aifirst.intent.events.v1',
  /** gateway → everybody: agents, tenants, connections, log-ins refused. Key: the thing. */
  identityEvents: 'aifirst.identity.principal.events.v1',
  /** orchestrator → policy: one question per plan. Key: workflow. */
  decisionCommands: 'aifirst.policy.decision.commands.v1',
  /** policy → orchestrator. Key: workflow. */
  decisionEvents: 'aifirst.policy.decision.events.v1',
  /** policy → everybody: roles, policies, kill switches, control epochs. Key: tenant. */
  controlEvents: 'aifirst.policy.control.events.v1',
  /** adapters → orchestrator: what was prepared and what came of it. Key: workflow. */
  stepEvents: 'aifirst.execution.step.events.v1',
  /** audit → producers: how far each producer's facts are folded. Key: producer. */
  auditEvents: 'aifirst.audit.log.events.v1',
} as const;

/** Where agents publish intents, each a signed CloudEvent, and where those go that can't be read at all. Neither is carried by the bus: what is in them was written by others. */
export const INTENT_TOPICS = { submitted: 'aifirst.intents.v1', unreadable: 'aifirst.intents.v1.dlq' } as const;

/** orchestrator → the adapter service that serves `adapter`: execute, probe, undo. Key: workflow. */
export const stepCommandsTopic = (service: AdapterService): string => `aifirst.${service}.step.commands.v1`;

export type AdapterService = 'adapter-os' | 'adapter-http' | 'adapter-sql' | 'adapter-cloud';
export type ServiceName = 'gateway' | 'orchestrator' | 'policy' | 'audit' | AdapterService;

/** Which service hosts an adapter: its topic gets the commands, its journal knows what came of them. Built-ins ride with the operating system's. */
export const SERVICE_OF_ADAPTER: Readonly<Record<string, AdapterService>> = {
  os: 'adapter-os', builtin: 'adapter-os', http: 'adapter-http', mcp: 'adapter-http', sql: 'adapter-sql', cloud: 'adapter-cloud',
};

/** Services that host adapters and are there; the others come with their adapters. */
export const ADAPTER_HOSTS = ['adapter-os', 'adapter-sql'] as const satisfies readonly AdapterService[];
export type AdapterHost = (typeof ADAPTER_HOSTS)[number];
