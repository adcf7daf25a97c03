import { isSealed, type WorkflowView } from '@aifirst/contracts';
import { isObject, type Json } from '@aifirst/kernel';
import { ERASED, type Vault } from '@aifirst/vault';

/** Opens sealed values for those who may see them; what was erased is said to be. */
export class Unsealing {
  constructor(private readonly vault: Vault) {}

  async view(view: WorkflowView): Promise<WorkflowView> {
    if (!view.steps.some(({ output }) => holdsSealed(output))) return view;
    const steps = await Promise.all(view.steps.map(async step => (holdsSealed(step.output) ? { ...step, output: await this.json(view.tenant, view.id, step.output) } : step)));
    return { ...view, steps };
  }

  async json(tenant: string, workflow: string, value: unknown): Promise<Json> {
    const json = value as Json;
    if (!holdsSealed(json)) return json;
    try {
      return await this.vault.unsealAll({ tenant, workflow }, json);
    } catch (error) {
      if ((error as { code?: string }).code !== ERASED) throw error;
      return closed(json);
    }
  }
}

function holdsSealed(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return (value as readonly Json[]).some(holdsSealed);
  return isSealed(value) || Object.values(value).some(holdsSealed);
}

function closed(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(closed);
  if (isSealed(value)) return { sealed: true, class: value.class, erased: true };
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inner === undefined ? null : closed(inner)])) : value;
}
