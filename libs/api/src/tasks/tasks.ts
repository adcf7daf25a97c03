import type { ServiceQuery } from '@aifirst/contracts';
import type { Identity, LogWriter } from '@aifirst/identity';
import type { Clock, Ids } from '@aifirst/kernel';
import type { Vault } from '@aifirst/vault';
import type { GatewayLogger } from '../http/edge';
import type { Unsealing } from '../routes/unsealing';
import type { WorkflowProjection } from '../views/workflow-projection';
import { Claims } from './claims';
import { TaskBoard } from './task-board';
import { TaskDesk } from './task-desk';
import { TaskStore } from './task-store';

export interface TasksParts {
  readonly identity: Identity;
  readonly writer: LogWriter;
  readonly projection: WorkflowProjection;
  readonly query: ServiceQuery;
  readonly vault: Vault;
  readonly unsealing: Unsealing;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: GatewayLogger;
  /** How long tasks that have ended are kept. */
  readonly historyMs: number;
}

/** Tasks that steps of workflows give to other agents: offered, claimed, worked in workflows of their own, ended, taken back. */
export class Tasks {
  readonly claims: Claims;
  private readonly desk: TaskDesk;
  private readonly board: TaskBoard;
  private readonly store: TaskStore;

  constructor(private readonly parts: TasksParts) {
    const { identity, writer, projection, vault, unsealing, clock, ids, logger } = parts;
    this.store = new TaskStore({ writer, clock, ids });
    this.board = new TaskBoard({ store: this.store, identity, projection, clock, logger });
    this.desk = new TaskDesk(this.board, vault);
    this.claims = new Claims(this.board, vault, unsealing);
  }

  /** Reads what was left and goes on with it, then answers the steps that give tasks. */
  async load(): Promise<void> {
    await this.board.load();
    this.desk.answerBy(this.parts.query);
  }

  /** Answers everybody who waits and begins nothing any more. */
  end(): void { this.board.end(); }

  forget(): Promise<void> {
    const { identity, clock, historyMs } = this.parts;
    return this.store.forget(identity.tenants.list().map(({ id }) => id), new Date(clock.now() - historyMs).toISOString());
  }
}
