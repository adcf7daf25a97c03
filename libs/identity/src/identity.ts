import type { ServiceQuery } from '@aifirst/contracts';
import type { RandomBytes } from '@aifirst/kernel';
import { Connections } from './connections';
import type { Writing } from './document-registry';
import { KeyUses } from './key-uses';
import { neighboursBy, type Neighbours } from './neighbours';
import { Principals } from './principals';
import { RefusalRecorder } from './refusal-recorder';
import { Tenants } from './tenants';

export interface IdentityOptions extends Writing {
  readonly query: ServiceQuery;
  readonly adminToken: string;
  /** Tests put their own in place of the system's. */
  readonly random?: RandomBytes;
}

/** Who and what the deployment knows: tenants, agents and their credentials, connections. */
export class Identity {
  readonly neighbours: Neighbours;
  readonly tenants: Tenants;
  readonly principals: Principals;
  readonly connections: Connections;
  readonly refusals: RefusalRecorder;
  readonly keyUses: KeyUses;

  constructor(private readonly options: IdentityOptions) {
    this.neighbours = neighboursBy(options.query);
    this.tenants = new Tenants(options);
    this.principals = new Principals(options, this.neighbours, options.adminToken, options.random);
    this.connections = new Connections(options, this.neighbours);
    this.refusals = new RefusalRecorder(options);
    this.keyUses = new KeyUses(options);
  }

  /** Reads all of it into memory and answers the gateway's question `connection`. Asks nobody. */
  async load(): Promise<void> {
    await this.tenants.load();
    await Promise.all([this.principals.load(), this.connections.load(), this.keyUses.load()]);
    this.options.query.answer<{ tenant: string; name: string }, unknown>('gateway', 'connection', ({ tenant, name }) => this.connections.resolve(tenant, name));
  }

  isInhabited(tenant: string): boolean { return this.principals.list(tenant).length > 0 || this.connections.list(tenant).length > 0; }
}
