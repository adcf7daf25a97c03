import { WasmCedarEngine, type CedarEngine } from '@aifirst/policy';

type Prepared = ReturnType<CedarEngine['prepare']>;

let shared: WasmCedarEngine | undefined;
const parsed = new Map<string, ReturnType<CedarEngine['parse']>>();

/**
 * The real engine, one for all lives of all runs: an instance takes tens of milliseconds to make. What a run has prepared
 * is let go of at its end, as a dead process lets go of nothing.
 */
export class SharedCedar implements CedarEngine {
  private readonly engine = (shared ??= new WasmCedarEngine());
  private readonly prepared = new Set<Prepared>();

  parse(text: string): ReturnType<CedarEngine['parse']> {
    let known = parsed.get(text);
    if (known === undefined) parsed.set(text, known = this.engine.parse(text));
    return known;
  }
  validate(...given: Parameters<CedarEngine['validate']>): ReturnType<CedarEngine['validate']> { return this.engine.validate(...given); }
  prepare(policies: Parameters<CedarEngine['prepare']>[0]): Prepared {
    const prepared = this.engine.prepare(policies);
    this.prepared.add(prepared);
    return prepared;
  }
  release(prepared: Prepared): void { if (this.prepared.delete(prepared)) this.engine.release(prepared); }
  authorize(...given: Parameters<CedarEngine['authorize']>): ReturnType<CedarEngine['authorize']> { return this.engine.authorize(...given); }
  authorizePartially(...given: Parameters<CedarEngine['authorizePartially']>): ReturnType<CedarEngine['authorizePartially']> { return this.engine.authorizePartially(...given); }

  end(): void { for (const prepared of [...this.prepared]) this.release(prepared); }
}
