import { SERVICE_OF_ADAPTER, type AdapterHost, type Connection, type PrincipalRef, type TargetReach } from '@aifirst/contracts';
import { Refusal, type JsonObject, type Problem } from '@aifirst/kernel';
import { digestOf } from '@aifirst/vault';
import { connectionProblems } from './connection-config';
import { DocumentRegistry, type Entry, type Writing } from './document-registry';
import type { Neighbours } from './neighbours';
import { inUse } from './principals';

export interface ConnectionSettings {
  readonly adapter: string;
  readonly config: JsonObject;
  readonly secretRefs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}
export interface StoredConnection extends ConnectionSettings {
  readonly limitations: readonly string[];
  /** The target's own identity in lock names, null: the connection's name. */
  readonly lockBase: string | null;
  /** What else a step touches than what its input names; absent: nothing is known of that. */
  readonly reach?: TargetReach;
  readonly digest: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}
export type ConnectionEntry = Entry<StoredConnection>;

/** Cedar's name for built-ins, which take no connection. */
const RESERVED = 'aifirst';

export class Connections {
  private readonly connections: DocumentRegistry<StoredConnection>;

  constructor(private readonly writing: Writing, private readonly neighbours: Neighbours) { this.connections = new DocumentRegistry('connection', writing); }

  load(): Promise<void> { return this.connections.load(); }
  list(tenant: string): ConnectionEntry[] { return this.connections.list(tenant); }
  find(tenant: string, name: string): ConnectionEntry | null { return this.connections.get(tenant, name); }
  get(tenant: string, name: string): ConnectionEntry {
    const found = this.find(tenant, name);
    if (found === null) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no connection \`${name}\`` });
    return found;
  }

  /** As adapters get it, or null. */
  resolve(tenant: string, name: string): Connection | null {
    const found = this.find(tenant, name);
    return found === null ? null : connectionOf(found);
  }

  /**
   * @param probe look at the target first
   * @throws Refusal SECRET_IN_CONFIG, INVALID_FIELD, UNKNOWN_FIELD, PROBE_FAILED, PRECONDITION_FAILED
   */
  async put(tenant: string, name: string, settings: ConnectionSettings, probe: boolean, by: PrincipalRef, expectedRevision?: number): Promise<{ created: boolean; connection: ConnectionEntry }> {
    const problems = connectionProblems(settings.adapter, settings.config, settings.secretRefs);
    if (name === RESERVED) problems.push({ code: 'INVALID_FIELD', detail: `\`${RESERVED}\` stands for what is built in` });
    if (problems.length > 0) throw new Refusal(problems as [Problem, ...Problem[]]);
    const before = this.find(tenant, name);
    const digest = digestOf({ adapter: settings.adapter, config: settings.config, secretRefs: Object.keys(settings.secretRefs).sort() });
    const probed = probe ? await this.probe({ tenant, name, ...settings, revision: (before?.revision ?? 0) + 1, digest }) : before?.data.digest === digest ? before.data : { limitations: [] };
    const lockBase = probed.lockBase ?? lockBaseOf(settings);
    const now = new Date(this.writing.clock.now()).toISOString();
    const connection = await this.connections.put(tenant, name, { ...settings, limitations: probed.limitations, lockBase, ...(probed.reach === undefined ? {} : { reach: probed.reach }), digest, createdAt: before?.data.createdAt ?? now, updatedAt: now },
      [{ entity: 'connection', name: before === null ? 'Created' : 'Changed', data: { connection: name, ...(settings as unknown as JsonObject), digest } }], by, expectedRevision);
    return { created: before === null, connection };
  }

  /** @throws Refusal NOT_FOUND, IN_USE, PRECONDITION_FAILED */
  async remove(tenant: string, name: string, by: PrincipalRef, expectedRevision?: number): Promise<void> {
    this.get(tenant, name);
    const { workflows } = await this.neighbours.ask('orchestrator', 'inUse', { tenant, connection: name });
    if (workflows.length > 0) throw inUse('connection', name, workflows);
    await this.connections.remove(tenant, name, [{ entity: 'connection', name: 'Deleted', data: { connection: name } }], by, expectedRevision);
  }

  private probe(connection: Connection): Promise<{ readonly limitations: readonly string[]; readonly lockBase?: string | null; readonly reach?: TargetReach }> {
    const service = SERVICE_OF_ADAPTER[connection.adapter] as AdapterHost;
    return this.neighbours.ask(service, 'probeConnection', { connection });
  }
}

/** What can be told without looking. */
const lockBaseOf = ({ adapter, config }: ConnectionSettings): string | null =>
  adapter === 'os' && typeof config['root'] === 'string' ? `file://${config['root'].replace(/\/+$/, '')}` : null;

const connectionOf = ({ tenant, id, revision, data: { adapter, config, secretRefs, labels, digest } }: ConnectionEntry): Connection =>
  ({ tenant, name: id, adapter, config, secretRefs, labels, revision, digest });
