import type { DocumentPut, StoredDocument } from '@aifirst/store';
import type { JsonObject } from '@aifirst/kernel';
import type { Writing } from './document-registry';

const KIND = 'key-use';
const PAGE = 500;
/** How exactly it is known when a key was used last. Finer would cost a write for each intent. */
const GRAIN_MS = 3_600_000;
/** As many as an agent has keys, and some that it had. */
const KEPT_MAX = 50;

/** When each key of an agent was used last, to the hour: for whoever looks for keys that nobody needs. The facts of intents name the key of each. */
export class KeyUses {
  private readonly byAgent = new Map<string, Readonly<Record<string, string>>>();

  constructor(private readonly writing: Pick<Writing, 'writer'>) {}

  async load(): Promise<void> {
    let after: string | undefined;
    for (;;) {
      const page: readonly StoredDocument[] = await this.writing.writer.log.listDocuments(KIND, null, after === undefined ? { limit: PAGE } : { limit: PAGE, after });
      for (const { id, data } of page) this.byAgent.set(id, data as Readonly<Record<string, string>>);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      after = `${last.tenant}/${last.id}`;
    }
  }

  /** RFC 3339, null: never that we know of. */
  lastUsedAt(agent: string, kid: string): string | null {
    const uses = this.byAgent.get(agent);
    return uses !== undefined && Object.hasOwn(uses, kid) ? uses[kid]! : null;
  }

  /**
   * Notes uses at once; what comes back is to be stored with the effect. Empty where it is known well enough already.
   * @param uses `atMs`: milliseconds since 1970
   */
  note(uses: readonly { readonly tenant: string; readonly agent: string; readonly kid: string; readonly atMs: number }[]): DocumentPut[] {
    const changed = new Map<string, DocumentPut>();
    for (const { tenant, agent, kid, atMs } of uses) {
      const known = this.lastUsedAt(agent, kid);
      if (known !== null && atMs - Date.parse(known) < GRAIN_MS) continue;
      const others = Object.entries(this.byAgent.get(agent) ?? {}).filter(([other]) => other !== kid).sort(([, a], [, b]) => (a < b ? -1 : 1)).slice(1 - KEPT_MAX);
      const data = Object.fromEntries([...others, [kid, new Date(atMs).toISOString()]]);
      this.byAgent.set(agent, data);
      changed.set(agent, { kind: KIND, tenant, id: agent, data: data as JsonObject });
    }
    return [...changed.values()];
  }
}
