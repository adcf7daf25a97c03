import { eventType, stepCommandsTopic, type CloudEvent, type CommandRefused, type Connection, type Direction, type ExecuteStep, type ProbeStep, type StepReported, type UndoStep } from '@aifirst/contracts';
import type { Batch, Delivery } from '@aifirst/bus';
import { setCrashHook, uuidv7, type CrashPoint, type JsonObject } from '@aifirst/kernel';
import type { Log, Store, StoredRow } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { digestOf, sealLease, type Vault } from '@aifirst/vault';
import { MemoryVault } from '@aifirst/vault/testing';
import type { ExecutionAdapter } from '../execution-adapter';
import { COMMAND_REFUSED, STEP_REPORTED } from '../journal-rows';
import { StepJournal } from '../step-journal';
import type { StepJournalOptions } from '../step-journal-options';
import { aConnection, FakeAdapter } from './fake-adapter';
import { ManualClock, settled } from './manual-clock';

export const SERVICE_KEY = Buffer.alloc(32, 7);
export const TENANT = 'acme';
export const UNDO_WINDOW_MS = 30 * 86_400_000;

export interface CommandOptions {
  readonly workflow?: number;
  readonly step?: string;
  readonly index?: number;
  readonly generation?: number;
  readonly attempt?: number;
  readonly epoch?: number;
  readonly input?: JsonObject;
  readonly capability?: string;
  readonly adapter?: string;
  readonly connection?: string | null;
  readonly timeoutMs?: number;
  readonly controlEpoch?: number;
  readonly leaseMs?: number;
  readonly onConflict?: UndoStep['onConflict'];
  readonly probe?: number;
  readonly direction?: Direction;
  readonly producer?: string;
}

export const workflowId = (number: number): string => `019c0000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;

/** A step journal with everything around it that outlives its process, and hands to kill it. */
export class JournalStand {
  readonly clock: ManualClock = new ManualClock();
  readonly adapter: FakeAdapter;
  readonly connections = new Map<string, Connection>([['docs', aConnection()]]);
  control: { epoch: number; asOf: number } | null = null;
  /** Keeps the control state fresh. Off: it stays as it was set. */
  controlIsFresh = true;
  readonly commits: { readonly rows: number; readonly durable: boolean }[] = [];
  readonly fatal: unknown[] = [];
  log!: Log;
  journal!: StepJournal;
  private positions = 0;
  private ids = 0;

  constructor(readonly options: Partial<StepJournalOptions> & { readonly sensitiveImages?: boolean } = {}, readonly store: Store = new MemoryStore({ serviceName: 'adapter-os' }), readonly vault: Vault = new MemoryVault()) {
    this.adapter = new FakeAdapter(undefined, options.sensitiveImages ?? false);
  }

  /** Opens the log and starts a journal on it, as a new process does. */
  async start(adapters: readonly ExecutionAdapter[] = [this.adapter]): Promise<this> {
    this.log = await this.store.open({ log: 'adapter-os', shard: 0, owner: 'test', takeOver: true });
    let random = 0;
    this.journal = new StepJournal({
      log: this.log, adapters, serviceKey: SERVICE_KEY, vault: this.vault, clock: this.clock, undoWindowMs: UNDO_WINDOW_MS, graceMs: 100,
      ids: { uuid: () => uuidv7(this.clock.now(), count => Buffer.from(Array.from({ length: count }, () => (++random * 7 + this.log.epoch * 31 + ++this.ids) % 256))) },
      connections: { resolve: async (tenant, name) => (tenant === TENANT ? this.connections.get(name) ?? null : null) },
      control: { epochOf: () => (this.controlIsFresh ? { epoch: this.control?.epoch ?? 1, asOf: this.clock.now() } : this.control) },
      hooks: { onCommit: commit => { this.commits.push(commit); }, onFatal: error => { this.fatal.push(error); } },
      ...this.options,
    });
    await this.journal.recover();
    return this;
  }

  /** Kills the process: what is in memory is gone. */
  crash(): void { (this.store as MemoryStore).crash(); }

  /** Kills the process at the `pass`-th passing of a point. */
  crashAt(point: CrashPoint, pass = 1): void {
    let left = pass;
    setCrashHook(name => {
      if (name !== point || --left > 0) return;
      setCrashHook(undefined);
      this.crash();
      throw new Error(`killed at ${point}`);
    });
  }

  execute(options: CommandOptions = {}): CloudEvent { return this.command('ExecuteStep', 'forward', options); }
  undo(options: CommandOptions = {}): CloudEvent { return this.command('UndoStep', 'undo', options); }
  probe(options: CommandOptions = {}): CloudEvent { return this.command('ProbeStep', options.direction ?? 'forward', options); }

  async send(...events: readonly CloudEvent[]): Promise<void> {
    await this.journal.handle(this.batch(...events));
    await settled();
  }

  batch(...events: readonly CloudEvent[]): Batch {
    const deliveries = events.map((event): Delivery => ({
      source: 'orchestrator/0', position: ++this.positions, message: { topic: stepCommandsTopic('adapter-os'), key: event.subject, event },
    }));
    return { deliveries, positions: { 'orchestrator/0': this.positions } };
  }

  async rows(): Promise<readonly StoredRow[]> { return this.log.read(0, 100_000); }
  async facts<D>(type: string): Promise<CloudEvent<D>[]> {
    return (await this.rows()).flatMap(row => row.messages).map(message => message.event).filter(event => event.type === type) as unknown as CloudEvent<D>[];
  }
  async reports(): Promise<StepReported[]> { return (await this.facts<StepReported>(STEP_REPORTED)).map(event => event.data); }
  async outcomes(): Promise<string[]> { return (await this.reports()).map(report => `${report.step} ${report.direction} ${report.outcome}`); }
  async refusals(): Promise<CommandRefused[]> { return (await this.facts<CommandRefused>(COMMAND_REFUSED)).map(event => event.data); }
  /** How often each step key has had its effect. */
  effects(): Record<string, number> { return Object.fromEntries(this.adapter.target.effects); }
  methods(): string[] { return this.adapter.calls.map(call => call.method); }

  private command(name: string, direction: Direction, options: CommandOptions): CloudEvent {
    const workflow = workflowId(options.workflow ?? 1);
    const step = options.step ?? 's0';
    const connection = options.connection === undefined ? 'docs' : options.connection;
    const input = options.input ?? { connection: 'docs', key: 'k', value: 1 };
    const capability = options.capability ?? 'fake.put';
    const generation = options.generation ?? 1;
    const fields = {
      direction, tenant: TENANT, workflow, step, index: options.index ?? 0, generation, agent: 'a1', capability, connection, inputDigest: digestOf(input), policyVersion: 'p1',
      controlEpoch: direction === 'undo' ? 0 : options.controlEpoch ?? 1,
      expiresAt: direction === 'undo' ? 0 : this.clock.now() + (options.leaseMs ?? 60_000),
    };
    const data: Partial<ExecuteStep & UndoStep & ProbeStep> = {
      workflow, step, index: options.index ?? 0, generation, attempt: options.attempt ?? 1, epoch: options.epoch ?? 1, agent: { kind: 'agent', id: 'a1', tenant: TENANT },
      capability, adapter: options.adapter ?? 'os', connection, input, timeoutMs: options.timeoutMs ?? 30_000, cause: `cause-${direction}`,
      lease: { policyVersion: fields.policyVersion, controlEpoch: fields.controlEpoch, expiresAt: fields.expiresAt, mac: sealLease(SERVICE_KEY, fields) },
      ...(name === 'UndoStep' ? { onConflict: options.onConflict ?? 'block' } : {}),
      ...(name === 'ProbeStep' ? { direction, probe: options.probe ?? 1 } : {}),
    };
    return {
      specversion: '1.0', id: `c${++this.ids}`, type: eventType('execution', name), source: '/aifirst/orchestrator', time: new Date(this.clock.now()).toISOString(),
      subject: workflow, tenant: TENANT, producer: options.producer ?? 'orchestrator/0', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', data: data as unknown as JsonObject,
    };
  }
}
