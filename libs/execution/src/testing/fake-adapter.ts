import type { CapabilityDescriptor, Connection } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';
import { CannotDo, type ActResult, type ExecutionAdapter, type Image, type ProbeResult, type StepCall, type UndoResult } from '../execution-adapter';

type Method = 'prepare' | 'execute' | 'probe' | 'undo' | 'forget';

/**
 * A target of key and value that outlives the journal's process, with a ledger of effects by step key, and an adapter to
 * it that can be made to misbehave. `fake.put { key, value }` sets a key and gives `{ was }`.
 */
export class FakeTarget {
  readonly values = new Map<string, Json>();
  /** Step keys whose effect is in: what a transactional target keeps beside it. */
  readonly effects = new Map<string, number>();
  readonly undone: string[] = [];
}

const schema = (properties: JsonObject, required: readonly string[]): JsonObject => ({ type: 'object', additionalProperties: false, properties, required });

export class FakeAdapter implements ExecutionAdapter {
  readonly name = 'os';
  readonly calls: { readonly method: Method; readonly key: string }[] = [];
  readonly forgotten: string[] = [];
  /** Runs before each method; what it throws or awaits, the method does. */
  before: (method: Method, call: StepCall) => Promise<void> | void = () => undefined;
  /** Runs after an effect and before its answer. */
  after: (method: Method, call: StepCall) => Promise<void> | void = () => undefined;
  /** Takes the place of an answer. */
  answer: (method: Method, call: StepCall) => unknown = () => undefined;
  /** What a call must have to itself beside its key; may change with the target. */
  alsoOn: (call: StepCall) => readonly string[] = () => [];
  active = 0;
  activeMax = 0;

  constructor(readonly target = new FakeTarget(), readonly imageIsSensitive = false) {}

  capabilities(): readonly CapabilityDescriptor[] {
    return [{
      name: 'fake.put', version: '1', adapter: 'os', reversibility: 'reversible', outcome: 'transactional', undo: 'exact', description: 'Sets a key.',
      inputSchema: schema({ connection: { type: 'string' }, key: { type: 'string' }, value: { 'x-sensitive': 'content' } }, ['connection', 'key', 'value']),
      outputSchema: schema({ was: { 'x-sensitive': 'content' } }, ['was']),
      resources: [{ uri: 'file://{connection}/{key}', access: 'write' }],
    }];
  }

  async probeConnection(): Promise<{ readonly limitations: readonly string[] }> { return { limitations: [] }; }
  serialiseOn(call: StepCall): readonly string[] { return [String(call.input['key']), ...this.alsoOn(call)]; }

  async prepare(call: StepCall): Promise<Image> {
    return this.doing('prepare', call, () => {
      if (call.input['value'] === 'impossible') throw new CannotDo('NO_SUCH_PLACE', 'there is no such place');
      return imageOf(this.target, String(call.input['key']));
    });
  }

  async execute(call: StepCall): Promise<ActResult> {
    return this.doing('execute', call, () => {
      const key = String(call.input['key']);
      const was = this.target.values.get(key) ?? null;
      this.target.values.set(key, call.input['value'] ?? null);
      this.target.effects.set(call.key, (this.target.effects.get(call.key) ?? 0) + 1);
      return { outcome: 'succeeded', output: { was }, after: imageOf(this.target, key) };
    });
  }

  async probe(call: StepCall, before: Image): Promise<ProbeResult> {
    return this.doing<ProbeResult>('probe', call, () => (this.target.effects.has(call.key)
      ? { outcome: 'succeeded', output: { was: before['value'] ?? null }, after: { has: true, value: call.input['value'] ?? null } }
      : { outcome: 'didNotHappen' }));
  }

  async undo(call: StepCall, before: Image, after: Image): Promise<UndoResult> {
    return this.doing<UndoResult>('undo', call, () => {
      const key = String(call.input['key']);
      const now = JSON.stringify(imageOf(this.target, key));
      if (now !== JSON.stringify(before)) {
        if (now !== JSON.stringify(after)) return { outcome: 'blocked', conflict: { resource: key, what: 'it was changed since', expected: 'ours', found: 'another' } };
        if (before['has'] === true) this.target.values.set(key, before['value'] ?? null);
        else this.target.values.delete(key);
        this.target.undone.push(call.key);
      }
      return { outcome: 'undone', verified: true, reason: null };
    });
  }

  async forget(call: Pick<StepCall, 'key' | 'tenant' | 'connection' | 'capability'>): Promise<void> {
    await this.before('forget', call as StepCall);
    this.forgotten.push(call.key);
  }

  private async doing<T>(method: Method, call: StepCall, work: () => T): Promise<T> {
    this.calls.push({ method, key: call.key });
    this.active++;
    this.activeMax = Math.max(this.activeMax, this.active);
    try {
      await this.before(method, call);
      const result = (this.answer(method, call) as T | undefined) ?? work();
      await this.after(method, call);
      return result;
    } finally {
      this.active--;
    }
  }
}

function imageOf({ values }: FakeTarget, key: string): Image {
  return values.has(key) ? { has: true, value: values.get(key)! } : { has: false };
}

export const aConnection = (more: Partial<Connection> = {}): Connection =>
  ({ tenant: 'acme', name: 'docs', adapter: 'os', config: {}, secretRefs: {}, labels: {}, revision: 1, digest: 'sha256:docs', ...more });

