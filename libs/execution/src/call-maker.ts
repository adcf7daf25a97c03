import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import type { CapabilityDescriptor, StepError } from '@aifirst/contracts';
import { invariant, isObject, OperationalError, type Json, type JsonObject } from '@aifirst/kernel';
import type { Vault } from '@aifirst/vault';
import type { ConnectionResolver, ExecutionAdapter, Image, StepCall } from './execution-adapter';
import { stepKeyOf, type Job } from './step-commands';

export interface Made { readonly adapter: ExecutionAdapter; readonly descriptor: CapabilityDescriptor; readonly call: StepCall; readonly connectionDigest: string | null }
export type CleanError = StepError & { readonly clean: true };
export type Making = { readonly made: Made } | { readonly error: CleanError };

export const clean = (code: string, detail: string): CleanError => ({ code, detail, clean: true });
export const unclear = (code: string, detail: string): StepError => ({ code, detail, clean: false });

/** What may be said of somebody else's error: its code or kind. A message may hold what was being handled. */
export function namedError(error: unknown): string {
  if (error instanceof OperationalError) return `\`${error.code}\`: ${error.message}`;
  const code = isObject(error) || error instanceof Error ? (error as { code?: unknown }).code : undefined;
  if (typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code)) return `\`${code}\``;
  return error instanceof Error ? `a \`${error.name}\`` : 'something that is no error';
}

/** Puts together what an adapter needs for one call, and looks after what goes in and comes out. */
export class CallMaker {
  private readonly ajv = new Ajv2020({ strict: false });
  private readonly offers = new Map<string, { readonly adapter: ExecutionAdapter; readonly descriptor: CapabilityDescriptor; readonly input: ValidateFunction; readonly output: ValidateFunction }>();

  constructor(adapters: readonly ExecutionAdapter[], private readonly vault: Vault, private readonly connections: ConnectionResolver) {
    for (const adapter of adapters) {
      for (const descriptor of adapter.capabilities()) {
        invariant(!this.offers.has(descriptor.name), `capability \`${descriptor.name}\` is offered twice`);
        this.offers.set(descriptor.name, { adapter, descriptor, input: this.ajv.compile(descriptor.inputSchema), output: this.ajv.compile(descriptor.outputSchema) });
      }
    }
  }

  /**
   * @param checkInput false where the call has been made before: what was done is to be found out or undone whatever the schema says by now
   * @throws OperationalError, retryable, when a connection or a key can't be had right now
   */
  async make({ tenant, direction, command }: Job, signal: AbortSignal, checkInput: boolean): Promise<Making> {
    const offer = this.offers.get(command.capability);
    if (offer === undefined || offer.descriptor.adapter !== command.adapter) return { error: clean('UNKNOWN_CAPABILITY', `capability \`${command.capability}\` of adapter \`${command.adapter}\` is not offered here`) };
    const { adapter, descriptor } = offer;

    const connection = command.connection === null ? null : await this.connections.resolve(tenant, command.connection, command.connectionStamp);
    const unknown = (why: string): Making => ({ error: clean('UNKNOWN_CONNECTION', why) });
    if (connection === null) {
      if (command.connection !== null) return unknown(`there is no connection \`${command.connection}\``);
      if (needsConnection(descriptor)) return unknown(`\`${command.capability}\` needs a connection`);
    } else if (connection.tenant !== tenant) return unknown(`there is no connection \`${command.connection}\``);
    else if (connection.adapter !== descriptor.adapter) return unknown(`connection \`${connection.name}\` is one of adapter \`${connection.adapter}\`, not \`${descriptor.adapter}\``);

    let input: Json;
    try {
      input = adapter.takesSealed === true ? command.input : await this.vault.unsealAll({ tenant, workflow: command.workflow }, command.input);
    } catch (error) {
      if (!(error instanceof OperationalError) || error.retryable) throw error;
      return { error: clean(error.code, error.message) };
    }
    if (checkInput && !offer.input(input)) return { error: clean('INVALID_INPUT', complaint(offer.input)) };
    return {
      made: {
        adapter, descriptor, connectionDigest: connection?.digest ?? null,
        call: {
          key: stepKeyOf({ direction, command }), tenant, workflow: command.workflow, step: command.step, agent: command.agent,
          capability: command.capability, connection, input: input as JsonObject, timeoutMs: command.timeoutMs, signal,
          ...(command.phase === undefined ? {} : { transaction: { phase: command.phase, held: (command.held ?? []).map(place => `${command.workflow}/${place}/forward`) } }),
        },
      },
    };
  }

  /**
   * Checked before it is sealed: the schema says what is sensitive, so what does not fit it may hold anything anywhere
   * and must not be stored.
   * @returns undefined when it does not fit
   */
  async sealOutput({ call, descriptor }: Made, output: Json): Promise<Json | undefined> {
    if (!this.offers.get(descriptor.name)!.output(output)) return undefined;
    return this.vault.sealFields({ tenant: call.tenant, workflow: call.workflow }, descriptor.outputSchema, output, 'output');
  }

  async sealImage({ adapter, call }: Made, image: Image): Promise<Json> {
    return adapter.imageIsSensitive === true ? { ...await this.vault.seal({ tenant: call.tenant, workflow: call.workflow }, 'image', image) } : image;
  }

  openImage({ adapter, call }: Made, image: Json): Promise<Image> { return this.openKept(adapter, call.tenant, call.workflow, image); }

  async openKept(adapter: ExecutionAdapter, tenant: string, workflow: string, image: Json): Promise<Image> {
    const opened = adapter.imageIsSensitive === true ? await this.vault.unsealAll({ tenant, workflow }, image) : image;
    invariant(isObject(opened), 'an image in the journal is no object');
    return opened;
  }

  offer(capability: string): { readonly adapter: ExecutionAdapter; readonly descriptor: CapabilityDescriptor } | undefined { return this.offers.get(capability); }
}

const needsConnection = ({ inputSchema }: CapabilityDescriptor): boolean => {
  const required = inputSchema['required'];
  return Array.isArray(required) && required.includes('connection');
};

/** Names the place and the rule, never the value. */
function complaint({ errors }: ValidateFunction): string {
  const [first] = errors ?? [];
  return `\`${first?.instancePath ?? ''}\` ${first?.message ?? 'is not as its schema says'}`;
}

