import type { MessageBus } from '@aifirst/bus';
import { InProcessQuery } from '@aifirst/bus';
import {
  ADAPTER_HOSTS, SERVICE_OF_ADAPTER, TOPICS, eventType, type AskedPreview, type AskedStep, type AskedUndoPreview, type AuditEntry, type CapabilityDescriptor, type CloudEvent, type DecidePlan, type DecisionOutcome, type Draft, type KillSwitch, type LockView, type Named, type PolicyPrincipal, type PolicyText, type PreviewAnswer, type PrincipalRef,
  type PutNamed, type Role, type StartWorkflow, type StepDecision, type UndoPreviewAnswer, type WorkflowFact, type WorkflowHead, type WorkflowOrder,
} from '@aifirst/contracts';
import { Refusal, type Clock, type Ids, type JsonObject } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';

type Fact = WorkflowFact extends infer F ? (F extends WorkflowFact ? F : never) : never;

/** An orchestrator that does as the test says: its facts go through a real log and bus. */
export class FakeOrchestrator {
  readonly orders: { readonly workflow: string; readonly by: PrincipalRef; readonly order: WorkflowOrder }[] = [];
  /** Facts that follow an order; a Refusal refuses it. */
  onOrder: (order: WorkflowOrder, workflow: string) => readonly Fact[] | Refusal = () => [];
  /** Facts that follow `IntentSubmitted`, all at once. */
  onStart: (start: StartWorkflow) => readonly Fact[] = () => [];
  inUse: { readonly connections: Record<string, string[]>; readonly agents: Record<string, string[]> } = { connections: {}, agents: {} };
  locks: LockView[] = [];
  private readonly facts = new Map<string, CloudEvent[]>();
  private readonly intents = new Map<string, string>();
  private readonly tenants = new Map<string, { tenant: string; agent: string }>();
  private last: Promise<unknown> = Promise.resolve();
  private version = 0;

  constructor(readonly log: Log, private readonly ids: Ids, private readonly clock: Clock) {}

  async attach(bus: MessageBus, query: InProcessQuery): Promise<void> {
    await bus.subscribe({
      group: 'orchestrator.workflows', topics: [TOPICS.workflowCommands], from: () => ({}),
      handle: async ({ deliveries }) => {
        for (const { message: { event } } of deliveries) {
          const start = event.data as unknown as StartWorkflow;
          this.intents.set(start.workflow, start.intentKnownAs ?? start.intent);
          await this.emit(start.workflow, [{ name: 'IntentSubmitted', start, by: `agent:${start.agent.id}` }, ...this.onStart(start)], start.agent);
        }
      },
    });
    query.answer<{ tenant: string; workflow: string; by: PrincipalRef; order: WorkflowOrder }, { sequence: number }>('orchestrator', 'order', async ({ workflow, by, order }) => {
      const facts = this.onOrder(order, workflow);
      if (facts instanceof Refusal) throw facts;
      this.orders.push({ workflow, by, order });
      return { sequence: await this.emit(workflow, facts) };
    });
    query.answer<{ tenant: string; workflow: string; after: number; limit: number }, { items: CloudEvent[] }>('orchestrator', 'facts', ({ tenant, workflow, after, limit }) =>
      ({ items: (this.facts.get(workflow) ?? []).filter(event => event.tenant === tenant && event.sequence! > after).slice(0, limit) }));
    query.answer<{ workflows: string[] }, { items: WorkflowHead[]; lag: number }>('orchestrator', 'workflowHeads', ({ workflows }) =>
      ({ items: workflows.flatMap(workflow => { const facts = this.facts.get(workflow)?.length ?? 0; return facts === 0 ? [] : [{ workflow, facts }]; }), lag: 0 }));
    query.answer<{ connection?: string; agent?: string }, { workflows: string[] }>('orchestrator', 'inUse', ({ connection, agent }) =>
      ({ workflows: (connection === undefined ? this.inUse.agents[agent!] : this.inUse.connections[connection]) ?? [] }));
    query.answer<{ limit: number; after?: string }, { items: LockView[] }>('orchestrator', 'locks', ({ limit, after }) => ({ items: this.locks.filter(lock => after === undefined || lock.id > after).slice(0, limit) }));
    query.answer<{ id: string }, LockView>('orchestrator', 'breakLock', ({ id }) => {
      const lock = this.locks.find(one => one.id === id);
      if (lock === undefined) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no lock \`${id}\`` });
      return lock;
    });
  }

  /** @returns the sequence of the last of them, once they are stored */
  emit(workflow: string, facts: readonly Fact[], agent?: { readonly tenant: string; readonly id: string }): Promise<number> {
    if (agent !== undefined) this.tenants.set(workflow, { tenant: agent.tenant, agent: agent.id });
    const next = this.last.then(() => this.store(workflow, facts));
    this.last = next.catch(() => {});
    return next;
  }

  private async store(workflow: string, facts: readonly Fact[]): Promise<number> {
    const known = this.facts.get(workflow) ?? [];
    if (facts.length === 0) return known.at(-1)?.sequence ?? 0;
    const { tenant, agent } = this.tenants.get(workflow)!;
    const messages = facts.map(({ name, ...rest }, index): Draft => ({
      topic: TOPICS.workflowEvents, key: workflow, id: `${workflow}/${known.length + index + 1}`, type: eventType('workflow', name), time: new Date(this.clock.now()).toISOString(), subject: workflow, tenant, intentid: this.intents.get(workflow), intentsource: agent,
      data: { ...rest, workflow, agent } as unknown as JsonObject,
    }));
    const [row] = await this.log.commit({ appends: [{ tenant, stream: workflow, version: ++this.version, messages }] });
    this.facts.set(workflow, [...known, ...row!.messages.map(({ event }) => event)]);
    return row!.messages.at(-1)!.event.sequence!;
  }
}

/** Policy's named things in memory, with its promises about revisions. */
export class FakePolicy {
  readonly principals = new Map<string, PolicyPrincipal>();
  /** Questions about plans. */
  readonly asked: DecidePlan[] = [];
  /** What is decided of a step. */
  ruling: (step: AskedStep) => DecisionOutcome = ({ unresolved }) => (unresolved ? 'defer' : 'allow');
  /** Who asks to roll back is answered so. */
  rollbacks: DecisionOutcome = 'allow';
  version = '1-a';
  /** While set, `applyPrincipal` fails with it. */
  failure: Error | null = null;
  private readonly things = { role: new Map<string, Named<Role>>(), policy: new Map<string, Named<PolicyText>>(), killSwitch: new Map<string, Named<KillSwitch>>() };

  attach(query: InProcessQuery): void {
    query.answer<PolicyPrincipal, { controlEpoch: number }>('policy', 'applyPrincipal', principal => {
      if (this.failure !== null) throw this.failure;
      if ((this.principals.get(principal.id)?.revision ?? 0) <= principal.revision) this.principals.set(principal.id, principal);
      return { controlEpoch: 1 };
    });
    query.answer<{ tenant: string; roles: string[] }, { missing: string[] }>('policy', 'missingRoles', ({ tenant, roles }) => ({ missing: roles.filter(role => !this.things.role.has(`${tenant}/${role}`)) }));
    this.named<Role, Role>(query, 'Role', 'role', value => value);
    this.named<PolicyText, { cedar: string }>(query, 'Policy', 'policy', ({ cedar }, before) => {
      if (!cedar.includes('permit')) throw new Refusal({ code: 'POLICY_INVALID', pointer: '/cedar', detail: 'does not parse' });
      return { cedar, version: (before?.value.version ?? 0) + 1, active: before?.value.active ?? null };
    });
    this.named<KillSwitch, KillSwitch>(query, 'KillSwitch', 'killSwitch', value => value);
    query.answer('policy', 'validatePolicy', (body: { cedar?: string }) => {
      if (body.cedar?.includes('permit') === false) throw new Refusal({ code: 'POLICY_INVALID', pointer: '/cedar', detail: 'does not parse' });
      return { valid: true, warnings: [] };
    });
    query.answer('policy', 'activatePolicy', ({ tenant, name, version }: { tenant: string; name: string; version: number }) => {
      const found = this.things.policy.get(`${tenant}/${name}`);
      if (found === undefined) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no policy \`${name}\`` });
      const next = { ...found, revision: found.revision + 1, value: { ...found.value, active: version } };
      this.things.policy.set(`${tenant}/${name}`, next);
      return next;
    });
    query.answer('policy', 'policySchema', () => ({ AiFirst: {} }));
    query.answer<{ workflow: string }, Pick<StepDecision, 'outcome' | 'reason'>>('policy', 'decideRollback', () => ({ outcome: this.rollbacks, reason: this.rollbacks === 'allow' ? 'permitted' : 'no role permits `rollback`' }));
    query.answer<DecidePlan, { decisions: StepDecision[] }>('policy', 'decidePlan', question => {
      this.asked.push(question);
      return { decisions: question.steps.map(step => {
        const outcome = this.ruling(step);
        return { step: step.step, generation: step.generation, outcome, ...(outcome === 'deny' ? { code: 'POLICY_DENIED' } : {}), policies: ['p@1'], policyVersion: this.version, reason: outcome, risk: step.risk };
      }) };
    });
  }

  private named<T, P>(query: InProcessQuery, title: string, kind: 'role' | 'policy' | 'killSwitch', valueOf: (put: P, before: Named<T> | undefined) => T): void {
    const things = this.things[kind] as unknown as Map<string, Named<T>>;
    query.answer<PutNamed<P>, unknown>('policy', `put${title}`, ({ tenant, name, value, expectedRevision }) => {
      const key = `${tenant}/${name}`;
      const before = things.get(key);
      if (expectedRevision !== undefined && expectedRevision !== (before?.revision ?? 0)) throw new Refusal({ code: 'PRECONDITION_FAILED', detail: 'another revision' });
      const at = new Date().toISOString();
      const next: Named<T> = { name, revision: (before?.revision ?? 0) + 1, value: valueOf(value, before), createdAt: before?.createdAt ?? at, updatedAt: at };
      things.set(key, next);
      return { created: before === undefined, [kind]: next };
    });
    query.answer<{ tenant: string; name: string }, unknown>('policy', `get${title}`, ({ tenant, name }) => things.get(`${tenant}/${name}`) ?? null);
    query.answer<{ tenant: string; limit: number; after?: string }, unknown>('policy', kind === 'policy' ? 'listPolicies' : kind === 'role' ? 'listRoles' : 'listKillSwitches', ({ tenant, limit, after }) =>
      ({ items: [...things].filter(([key]) => key.startsWith(`${tenant}/`)).map(([, thing]) => thing).sort((a, b) => (a.name < b.name ? -1 : 1)).filter(({ name }) => after === undefined || name > after).slice(0, limit) }));
    query.answer<{ tenant: string; name: string }, unknown>('policy', `delete${title}`, ({ tenant, name }) => ({ deleted: things.delete(`${tenant}/${name}`) }));
  }
}

/** A log of entries that prove nothing. */
export class FakeAudit {
  readonly asked: { readonly question: string; readonly body: JsonObject }[] = [];
  entries: AuditEntry[] = [];

  attach(query: InProcessQuery): void {
    const answer = (question: string, reply: (body: JsonObject) => unknown) => query.answer<JsonObject, unknown>('audit', question, body => { this.asked.push({ question, body }); return reply(body); });
    answer('entries', ({ from, limit }) => {
      const items = this.entries.filter(({ index }) => index >= ((from as number | undefined) ?? 0));
      return { items: items.slice(0, limit as number), next: items.length > (limit as number) ? items[limit as number]!.index : null };
    });
    answer('entry', ({ index }) => this.entries.find(entry => entry.index === index) ?? null);
    answer('checkpoint', ({ tenant }) => (this.entries.length === 0 ? null : { note: `aifirst/${tenant as string}\n${this.entries.length}\n` }));
    answer('tile', ({ index }) => (index === 0 ? { bytes: Buffer.from('hashes').toString('base64') } : null));
    answer('inclusionProof', ({ index, size }) => ({ index, size: size ?? 1, hashes: ['AA=='] }));
    answer('consistencyProof', ({ from, to }) => ({ from, to, hashes: ['AA=='] }));
    answer('keys', () => ({ items: [{ vkey: 'aifirst+1+AA', from: '2026-01-01T00:00:00.000Z', to: null }] }));
    answer('export', () => ({ document: '{}\nsignature\n' }));
  }
}

/** Previews as the test says. */
export class FakeAdapter {
  readonly asked: AskedPreview[] = [];
  /** What is shown of a step. */
  preview: (asked: AskedPreview) => PreviewAnswer | Promise<PreviewAnswer> = ({ step }) =>
    ({ preview: { summary: `does \`${step}\``, footprint: [], changes: [], truncated: false }, digest: 'hmac-sha256:00', reach: 1 });

  readonly askedUndos: AskedUndoPreview[] = [];
  /** What is shown of taking a step back. */
  previewUndo: (asked: AskedUndoPreview) => UndoPreviewAnswer | Promise<UndoPreviewAnswer> = ({ step }) =>
    ({ preview: { outcome: 'wouldUndo', summary: `takes \`${step}\` back`, conflicts: [], truncated: false }, digest: 'hmac-sha256:00' });

  attach(query: InProcessQuery): void {
    for (const host of ADAPTER_HOSTS) {
      query.answer<AskedUndoPreview, UndoPreviewAnswer>(host, 'previewUndo', asked => { this.askedUndos.push(asked); return this.previewUndo(asked); });
      query.answer<AskedPreview, PreviewAnswer>(host, 'preview', asked => { this.asked.push(asked); return this.preview(asked); });
    }
  }
}

/** Adapters that do nothing, each asked of the service that hosts it, and find every root but `/missing`. */
export function attachFakeAdapter(query: InProcessQuery, capabilities: readonly CapabilityDescriptor[]): void {
  for (const host of ADAPTER_HOSTS) {
    query.answer(host, 'capabilities', () => ({ items: capabilities.filter(({ adapter }) => SERVICE_OF_ADAPTER[adapter] === host) }));
    query.answer<{ connection: { config: JsonObject } }, unknown>(host, 'probeConnection', ({ connection }) => {
      const root = String(connection.config['root']);
      if (root === '/missing') throw new Refusal({ code: 'PROBE_FAILED', pointer: '/config/root', detail: 'there is no such folder' });
      return { limitations: ['no extended attributes'], lockBase: `file:///real${root}` };
    });
  }
}
