import { OperationalError } from '@aifirst/kernel';
import type { CedarRecord, CedarRequest } from '../domain/cedar-engine';
import { actionUid, agentUid, connectionUid } from '../domain/entity-names';
import { Evaluator } from '../domain/evaluator';
import { decidePlan } from '../domain/decide-plan';
import { anAgent, aQuestion, aRole, aStep, aTenant, meansWith } from '../testing';
import { WasmCedarEngine } from './wasm-cedar-engine';
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';

const PERMIT = 'permit (principal, action, resource);';
const request = (context: CedarRecord = {}): CedarRequest => ({ principal: agentUid('a'), action: actionUid('noop'), resource: connectionUid('aifirst'), context, entities: [] });

describe('the engine', () => {
  it('is whole again after it broke down, and knows what was prepared', () => {
    const engine = new WasmCedarEngine();
    const prepared = engine.prepare({ p: PERMIT });
    const deny = engine.prepare({ p: 'forbid (principal, action, resource);' });
    let deep: CedarRecord = {};
    for (let i = 0; i < 300; i++) deep = { deep };
    for (let i = 0; i < 3; i++) {
      expect(() => engine.authorize(prepared, request(deep))).toThrow(OperationalError);
      expect(() => engine.parse(`permit (principal, action, resource) when { ${'('.repeat(5_000)}true${')'.repeat(5_000)} };`)).toThrow(/policy engine failed/);
      expect([engine.authorize(prepared, request()).decision, engine.authorize(deny, request()).decision]).toEqual(['allow', 'deny']);
    }
  });
  it('refuses a call that Cedar can not read, and goes on', () => {
    const engine = new WasmCedarEngine();
    const prepared = engine.prepare({ p: PERMIT });
    expect(() => engine.authorize(prepared, request({ a: 1.5 }))).toThrow(/refused the call/);
    expect(() => engine.authorize(prepared, request({ a: '\ud800' }))).toThrow(OperationalError);
    expect(() => engine.prepare({ p: 'permit (' })).toThrow(OperationalError);
    expect(engine.authorize(prepared, request()).decision).toBe('allow');
  });
  it('uses again what was released, for other policies', () => {
    const engine = new WasmCedarEngine();
    const first = engine.prepare({ p: PERMIT });
    engine.release(first);
    const second = engine.prepare({ p: 'forbid (principal, action, resource);' });
    expect(engine.authorize(second, request()).decision).toBe('deny');
    expect(engine.authorize(first, request()).decision).toBe('allow'); // Prepared anew, in a place of its own.
    expect(engine.authorize(second, request()).decision).toBe('deny');
  });
});

describe('under load', () => {
  /**
   * What kills a Node 20 whose V8 inlines calls into WebAssembly: code that was optimised around such a call is thrown
   * away while the call runs. Without the flag that the engine sets, this process ends here, with "unreachable code".
   * Why not through the engine: its methods are too large to be inlined here, until one day they are.
   */
  it('the process survives optimised code being thrown away in the middle of a call', () => {
    cedar.preparsePolicySet('probe', { staticPolicies: { p: 'permit (principal, action, resource) when { context.n < 5 };' } });
    class Assumed { v = 1; get() { return this.v; } }
    const assumed = new Assumed();
    let breakAssumption: (() => void) | null = null;
    const context = { n: 1, toJSON: () => { breakAssumption?.(); return { n: 1 }; } } as unknown as Cedar.Context;
    const hot = () => cedar.statefulIsAuthorized({
      principal: agentUid('a'), action: actionUid('x'), resource: connectionUid('c'), context, preparsedPolicySetId: 'probe', entities: [],
    }).type.length + assumed.get();
    let sum = 0;
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 3_000; i++) sum += hot();
      breakAssumption = () => { breakAssumption = null; Assumed.prototype.get = round % 2 === 0 ? function get(this: Assumed) { return this.v; } : () => 1; };
      sum += hot();
    }
    expect(sum).toBe(30_010 * 8);
  });

  it('thousands of decisions in a row are the same ones, kept or not', () => {
    const engine = new WasmCedarEngine();
    const evaluator = new Evaluator(engine);
    const unrelated = Array.from({ length: 98 }, (_, i) => `permit (principal in AiFirst::Role::"r${i}", action, resource) when { context.risk.score < ${i} };`).join('\n');
    const guard = 'forbid (principal, action == AiFirst::Action::"fs.write", resource) when { context.input.path like "secret/*" };';
    const tenant = aTenant(engine, { roles: { clerk: aRole(['*']) }, policies: { unrelated, guard }, principals: [anAgent('robo')] });
    const decide = (capability: string, path: string) => decidePlan(aQuestion([aStep(capability, { input: { path } })]), tenant, meansWith(evaluator))[0]!.outcome;
    const perSecond: Record<string, number> = {};
    for (const [name, capability, count] of [['conditional', 'fs.write', 4_000], ['kept', 'noop', 8_000]] as const) {
      const begun = process.hrtime.bigint();
      for (let i = 0; i < count; i++) {
        const secret = i % 3 === 0;
        expect(decide(capability, secret ? `secret/${i}` : `open/${i}`) === 'deny').toBe(secret && name === 'conditional');
      }
      perSecond[name] = Math.round(count / (Number(process.hrtime.bigint() - begun) / 1e9));
    }
    expect(perSecond['kept']).toBeGreaterThan(perSecond['conditional']!);
  });
});
