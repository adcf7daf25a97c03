import { createHash } from 'node:crypto';
import { eventType, isFactTopic, TOPICS, type CloudEvent, type Lease, type Message, type WorkflowFact } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { foldRow, hasEnded, type Workflow } from '@aifirst/orchestration';
import type { Append, StoredRow, Unit } from '@aifirst/store';
import type { World } from './world';

/** A fact or message at the moment it became durable. */
export interface Stored { readonly tick: number; readonly at: number; readonly producer: string; readonly topic: string; readonly event: CloudEvent }
/** A fact of a workflow, with the leases that the row keeps for it. */
export interface WorkflowRecord extends Stored { readonly name: string; readonly fact: JsonObject; readonly leases: Readonly<Record<string, { lease?: Lease; undoLease?: Lease }>> }
/** A row of the step journal. */
export interface JournalRow { readonly tick: number; readonly at: number; readonly workflow: string; readonly version: number; readonly state: JsonObject }

const WORKFLOW_EVENT = eventType('workflow', '');
const NAMES = new Map<string, string>();

/** What became durable, in order, as the databases know it; and the trace of everything else worth telling. */
export class History {
  readonly facts: Stored[] = [];
  readonly byId = new Map<string, Stored>();
  readonly ofWorkflow = new Map<string, WorkflowRecord[]>();
  readonly journal = new Map<string, JournalRow[]>();
  /** The highest epoch that the journal's rows of a workflow bear. */
  readonly journalEpochs = new Map<string, number>();
  /** Workflows as their durable facts make them. */
  readonly workflows = new Map<string, Workflow>();
  /** When the gateway's row with the workflow's command became durable. */
  readonly accepted = new Map<string, number>();
  /** Per tenant, the control epoch from a time on. */
  readonly epochs = new Map<string, { readonly at: number; readonly epoch: number }[]>();
  readonly trace: string[] = [];
  /** From when an intent was durable to the end of its workflow, of those that had ended when faults were over; and how many had not. */
  tookMs: readonly number[] = [];
  openWhenHealed = 0;
  events = 0;
  private readonly hash = createHash('sha256');

  /** @param onFact hears of each fact of a workflow with the states before and after it @param onStored of each unit, when all of it is in */
  constructor(
    private readonly world: World, private readonly onFact: (record: WorkflowRecord, before: Workflow | null, after: Workflow) => void, private readonly onStored: () => void,
    private readonly traceMax: number,
  ) {}

  say(line: string): void {
    const full = `${this.world.elapsedMs} #${this.world.tick} ${line}`;
    this.hash.update(full).update('\n');
    this.trace.push(full);
    if (this.trace.length > 2 * this.traceMax) this.trace.splice(0, this.traceMax);
  }

  healed(): void {
    this.say('faults are over');
    const ended = [...this.workflows.values()].filter(hasEnded);
    this.tookMs = ended.map(({ id, endedAt }) => endedAt! - this.accepted.get(id)!);
    this.openWhenHealed = this.accepted.size - ended.length;
  }

  now(): number { return this.world.now; }
  digest(): string { return this.hash.copy().digest('hex').slice(0, 16); }

  /** A unit is being stored. */
  store(producer: string, unit: Unit): void {
    for (const append of unit.appends ?? []) {
      for (const { topic, ...draft } of append.messages) {
        const event = { specversion: '1.0', source: '', producer, ...draft } as unknown as CloudEvent;
        this.events++;
        this.say(`${producer} ${draft.type.slice('aifirst.'.length, -'.v1'.length)} ${draft.id} <- ${draft.causationid ?? '-'} ${JSON.stringify(draft.data)}`);
        if (isFactTopic(topic)) this.fact({ tick: this.world.tick, at: this.world.now, producer, topic, event });
        if (topic === TOPICS.workflowCommands && !this.accepted.has(draft.key)) this.accepted.set(draft.key, this.world.now);
      }
      if (producer.startsWith('orchestrator')) this.fold(producer, append);
      if (producer.startsWith('adapter')) this.journalRow(append);
    }
    this.onStored();
  }

  private fact(stored: Stored): void {
    this.facts.push(stored);
    this.byId.set(stored.event.id, stored);
    if (stored.event.type === 'aifirst.policy.control-epoch-moved.v1') {
      const { tenant, data } = stored.event;
      this.epochs.set(tenant, [...(this.epochs.get(tenant) ?? []), { at: stored.at, epoch: Number(data['epoch']) }]);
    }
  }

  /** One fact after another, so that whoever listens sees each state. */
  private fold(producer: string, append: Append): void {
    const { tenant, stream, version, state = null } = append;
    for (const { topic, ...draft } of append.messages) {
      if (topic !== TOPICS.workflowEvents) continue;
      const event = { specversion: '1.0', source: '', producer, ...draft } as unknown as CloudEvent;
      const message: Message = { topic, key: stream, event };
      const row: StoredRow = { position: 0, tenant, stream, version, key: null, state, messages: [message] };
      const before = this.workflows.get(stream) ?? null;
      const after = foldRow(before, row)!;
      this.workflows.set(stream, after);
      const record: WorkflowRecord = {
        tick: this.world.tick, at: this.world.now, producer, topic, event, name: nameOf(draft.type), fact: draft.data,
        leases: ((state as JsonObject | null)?.['leases'] ?? {}) as WorkflowRecord['leases'],
      };
      const known = this.ofWorkflow.get(stream);
      if (known === undefined) this.ofWorkflow.set(stream, [record]);
      else known.push(record);
      this.onFact(record, before, after);
    }
  }

  private journalRow({ stream, version, state }: Append): void {
    const row: JournalRow = { tick: this.world.tick, at: this.world.now, workflow: stream, version, state: state as JsonObject };
    const known = this.journal.get(stream);
    if (known === undefined) this.journal.set(stream, [row]);
    else known.push(row);
    this.journalEpochs.set(stream, Math.max(this.journalEpochs.get(stream) ?? 0, epochOf(row.state)));
  }
}

function epochOf({ kind, command, epoch }: JsonObject): number {
  if (kind === 'prepared') return Number((command as JsonObject)['epoch']);
  return kind === 'closed' ? Number(epoch) : 0;
}

/** `aifirst.workflow.step-started.v1` → `StepStarted`. */
function nameOf(type: string): WorkflowFact['name'] | string {
  let name = NAMES.get(type);
  if (name === undefined) {
    name = type.slice(WORKFLOW_EVENT.length - '.v1'.length, -'.v1'.length).split('-').map(part => part[0]!.toUpperCase() + part.slice(1)).join('');
    NAMES.set(type, name);
  }
  return name;
}
