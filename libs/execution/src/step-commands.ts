import Ajv2020 from 'ajv/dist/2020';
import { eventType, type Direction, type ExecuteStep, type Lease, type Message, type ProbeStep, type StepCommand, type UndoStep } from '@aifirst/contracts';
import { OperationalError, type JsonObject } from '@aifirst/kernel';
import { ATTEMPTS_MAX, GENERATIONS_MAX, STEPS_MAX, type CallId } from './journal-key';

export const EXECUTE_STEP = eventType('execution', 'ExecuteStep');
export const UNDO_STEP = eventType('execution', 'UndoStep');
export const PROBE_STEP = eventType('execution', 'ProbeStep');

/** One call of a step and who asked for it: enough to make the call and to report on it, also after a crash. */
export interface Job {
  readonly tenant: string;
  readonly direction: Direction;
  readonly command: StepCommand;
  readonly traceparent: string | undefined;
}

/** A command as it came, its shape checked and nothing else. */
export interface ReceivedCommand extends Job {
  readonly kind: 'execute' | 'undo' | 'probe';
  readonly lease: Lease;
  /** Which probe it is, 0 for the other kinds. */
  readonly probe: number;
  readonly onConflict: UndoStep['onConflict'];
  /** Whose epoch it carries. */
  readonly producer: string;
}

export const callIdOf = ({ direction, command }: Pick<Job, 'direction' | 'command'>): CallId =>
  ({ workflow: command.workflow, index: command.index, generation: command.generation, direction, attempt: command.attempt });

/** `workflow/step/generation/direction`, as adapters and targets know it. */
export const stepKeyOf = ({ direction, command }: Pick<Job, 'direction' | 'command'>): string =>
  `${command.workflow}/${command.step}/${command.generation}/${direction}`;

const text = { type: 'string', minLength: 1, maxLength: 512 } as const;
/** What the store takes as a tenant. */
const tenant = { type: 'string', pattern: '^[^/*\\u0000\\ud800-\\udfff]+$', maxLength: 200 } as const;
const count = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum }) as const;
const SAFE = Number.MAX_SAFE_INTEGER;
const stepCommand = {
  workflow: { type: 'string', pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' },
  // Why the `~`: steps of the engine's own can't bear an agent's name.
  step: { type: 'string', pattern: '^~?[A-Za-z0-9_-]{1,64}$' },
  index: count(0, STEPS_MAX - 1), generation: count(0, GENERATIONS_MAX), attempt: count(1, ATTEMPTS_MAX), epoch: count(0, SAFE),
  agent: { type: 'object', required: ['kind', 'id', 'tenant'], properties: { kind: { enum: ['agent', 'person', 'service'] }, id: text, tenant } },
  capability: text, adapter: text, connection: { anyOf: [text, { type: 'null' }] }, input: { type: 'object' },
  timeoutMs: count(1, 2 ** 31 - 1), cause: text,
  lease: {
    type: 'object', required: ['policyVersion', 'controlEpoch', 'expiresAt', 'mac'],
    properties: { policyVersion: { type: 'string', maxLength: 512 }, controlEpoch: count(0, SAFE), expiresAt: count(0, SAFE), mac: { type: 'string', maxLength: 512 } },
  },
} as const;

/** May be absent. */
const optional = { phase: { enum: ['work', 'prepare', 'commit'] }, held: { type: 'array', maxItems: STEPS_MAX, items: text } } as const;

const schemaOf = (more: Readonly<Record<string, object>>): JsonObject => {
  const data = { ...stepCommand, ...more };
  return {
    type: 'object', required: ['type', 'tenant', 'producer', 'data'],
    properties: { tenant, producer: { type: 'string', pattern: '^[a-z0-9-]{1,64}/[0-9]{1,9}$' }, traceparent: { type: 'string', maxLength: 256 }, data: { type: 'object', required: Object.keys(data), properties: { ...data, ...optional } } },
  } as unknown as JsonObject;
};
/** JSON Schemas of the commands' events, by type. What a newer sender adds is let through unread. */
export const STEP_COMMAND_SCHEMAS: Readonly<Record<string, JsonObject>> = {
  [EXECUTE_STEP]: schemaOf({}),
  [UNDO_STEP]: schemaOf({ onConflict: { enum: ['block', 'skip', 'force'] } }),
  [PROBE_STEP]: schemaOf({ direction: { enum: ['forward', 'undo'] }, probe: count(1, SAFE) }),
};

const ajv = new Ajv2020({ strict: false });
const CHECKS = new Map(Object.entries(STEP_COMMAND_SCHEMAS).map(([type, schema]) => [type, ajv.compile(schema)]));

/** @throws OperationalError `MALFORMED_COMMAND`, not retryable: the bus parks the message */
export function readCommand(message: Message): ReceivedCommand {
  const { event } = message;
  const check = CHECKS.get(event.type);
  if (check === undefined) throw malformed(`\`${event.type}\` is no command to a step journal`);
  const isWellFormed: boolean = check(event);
  if (!isWellFormed) {
    const [first] = check.errors ?? [];
    throw malformed(`\`${event.type}\`: \`${first?.instancePath ?? ''}\` ${first?.message ?? 'is not as it should be'}`);
  }
  const data = event.data as unknown as ExecuteStep & UndoStep & ProbeStep;
  if (event.tenant !== data.agent.tenant) throw malformed('the agent belongs to another tenant than the command');
  // Why: named one by one, so that nothing else a sender puts in gets into the journal.
  const { workflow, step, index, generation, attempt, epoch, agent, capability, adapter, connection, connectionStamp, input, timeoutMs, phase, held, cause } = data;
  const common = {
    tenant: event.tenant, traceparent: event.traceparent, producer: event.producer, lease: data.lease,
    command: { workflow, step, index, generation, attempt, epoch, agent, capability, adapter, connection, input, timeoutMs, cause, ...(isStamp(connectionStamp) ? { connectionStamp } : {}), ...(phase === undefined ? {} : { phase, held: held ?? [] }) },
  };
  switch (event.type) {
    case UNDO_STEP: return { ...common, kind: 'undo', direction: 'undo', probe: 0, onConflict: data.onConflict };
    case PROBE_STEP: return { ...common, kind: 'probe', direction: data.direction, probe: data.probe, onConflict: 'block' };
    default: return { ...common, kind: 'execute', direction: 'forward', probe: 0, onConflict: 'block' };
  }
}

const STAMP = /^[0-9A-Za-z-]{1,64}$/;
const isStamp = (value: unknown): value is string => typeof value === 'string' && STAMP.test(value);

const malformed = (message: string): OperationalError => new OperationalError('MALFORMED_COMMAND', message);
