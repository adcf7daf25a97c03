import { EmbeddedMessageBus, InProcessQuery } from '@aifirst/bus';
import { MemoryDeadLetters } from '@aifirst/bus/testing';
import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import { feedOf, type Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { MemoryVault } from '@aifirst/vault/testing';
import type { Vault } from '@aifirst/vault';
import { createGateway, type Gateway } from '../gateway';
import type { IntentTopicOptions } from '../kafka-intake/intent-topic-intake';
import type { ReadinessCheck } from '../routes/system.controller';
import type { WorkflowViews } from '../views/workflow-views';
import { FakeAdapter, FakeAudit, FakeOrchestrator, FakePolicy, attachFakeAdapter } from './fake-services';
import { MemoryWorkflowViews } from './memory-workflow-views';
import { randomIds, systemClock } from './system-clock';

export const ADMIN_TOKEN = 'the-administrators-token';

const object = (properties: Record<string, object>, required: string[] = []) => ({ type: 'object', properties, required, additionalProperties: false });
const capability = (name: string, over: Partial<CapabilityDescriptor>): CapabilityDescriptor => ({
  name, version: '1', adapter: 'builtin', reversibility: 'reversible', outcome: 'marker', undo: 'exact', description: name, inputSchema: object({}) as never, outputSchema: {}, resources: [], ...over,
});
export const TEST_CAPABILITIES: readonly CapabilityDescriptor[] = [
  capability('noop', { inputSchema: object({ value: {}, fail: { enum: ['clean', 'unknown'] } }) as never }),
  capability('fs.write', {
    adapter: 'os', inputSchema: object({ connection: { type: 'string' }, path: { type: 'string', 'x-path': true }, content: { type: 'string', 'x-sensitive': 'content' } }, ['connection', 'path', 'content']) as never,
    resources: [{ uri: 'file://{connection}/{path}', access: 'write' }],
  }),
];

export interface GatewayParts {
  readonly store: MemoryStore;
  readonly views: WorkflowViews;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly readiness: readonly ReadinessCheck[];
  readonly intentTopic?: IntentTopicOptions;
  /** A running orchestrator's store, when a gateway is started again. */
  readonly orchestratorStore: MemoryStore;
}

/** A gateway over HTTP with everything around it in memory. Kept parts make a restart. */
export class GatewayUnderTest {
  private constructor(
    readonly gateway: Gateway, readonly url: string, readonly orchestrator: FakeOrchestrator, readonly policy: FakePolicy, readonly audit: FakeAudit, readonly adapter: FakeAdapter, readonly query: InProcessQuery,
    readonly log: Log, readonly parts: GatewayParts, readonly logged: { readonly level: string; readonly message: string; readonly fields: unknown }[], private readonly stop: () => Promise<void>,
  ) {}

  static async start(over: Partial<GatewayParts> = {}): Promise<GatewayUnderTest> {
    const parts: GatewayParts = {
      store: new MemoryStore({ serviceName: 'gateway' }), orchestratorStore: new MemoryStore({ serviceName: 'orchestrator' }), views: new MemoryWorkflowViews(), vault: new MemoryVault(), clock: systemClock, readiness: [], ...over,
    };
    const bus = new EmbeddedMessageBus({ clock: systemClock, deadLetters: () => new MemoryDeadLetters() });
    const log = await parts.store.open({ log: 'gateway', shard: 0, owner: 'test', takeOver: true });
    const orchestratorLog = await parts.orchestratorStore.open({ log: 'orchestrator', shard: 0, owner: 'test', takeOver: true });
    await bus.attach(feedOf(log));
    await bus.attach(feedOf(orchestratorLog));
    const query = new InProcessQuery();
    const [orchestrator, policy, audit, adapter] = [new FakeOrchestrator(orchestratorLog, randomIds, systemClock), new FakePolicy(), new FakeAudit(), new FakeAdapter()];
    await orchestrator.attach(bus, query);
    policy.attach(query);
    audit.attach(query);
    attachFakeAdapter(query, TEST_CAPABILITIES);
    adapter.attach(query);
    const logged: { level: string; message: string; fields: unknown }[] = [];
    const line = (level: string) => (message: string, fields?: unknown) => { logged.push({ level, message, fields }); };
    const gateway = await createGateway({
      log, bus, query, ids: randomIds, adminToken: ADMIN_TOKEN, version: '0.0.0', metrics: async () => 'aifirst_workflows_total 0\n', logger: { info: line('info'), warn: line('warn'), error: line('error') }, ...parts,
    });
    const port = await gateway.listen(0, '127.0.0.1');
    return new GatewayUnderTest(gateway, `http://127.0.0.1:${port}`, orchestrator, policy, audit, adapter, query, log, parts, logged, async () => { await gateway.close(); await bus.stop(); });
  }

  close(): Promise<void> { return this.stop(); }

  /** @param token null: none */
  async call(method: string, path: string, body?: unknown, token: string | null = ADMIN_TOKEN, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method, headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' || body instanceof Uint8Array ? body as string : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: isJson && text !== '' ? JSON.parse(text) as Body : {} };
  }

  /** Makes an agent with a role that permits nothing in particular. @returns its id and token */
  async agent(over: Record<string, unknown> = {}, tenant = 'default'): Promise<{ id: string; token: string }> {
    await this.call('PUT', `/v1/roles/clerk?tenant=${tenant}`, { capabilities: ['*'], connections: ['*'] });
    const { status, body } = await this.call('POST', `/v1/agents?tenant=${tenant}`, { name: 'an agent', owner: 'ana', roles: ['clerk'], ...over });
    if (status !== 201) throw new Error(`no agent: ${JSON.stringify(body)}`);
    return { id: body['id'] as string, token: body['token'] as string };
  }
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = Record<string, any>;
export interface Answer { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: Body }

export const anIntent = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ goal: 'a goal', steps: [{ id: 'a', capability: 'noop', input: {} }], ...over });
