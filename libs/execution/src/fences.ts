import type { Log, DocumentPut, StoredRow } from '@aifirst/store';
import { stateOf } from './journal-rows';
import { RecentMap } from './recent-map';
import type { ReceivedCommand } from './step-commands';

const DOCUMENT = 'execution.fence';
const TENANT = 'system';
/** Workflows whose highest epoch is kept in memory; the journal knows the others'. */
const WORKFLOWS_MIN = 10_000;

/**
 * The highest epoch seen per workflow. A sender's epoch only rises when its writer is replaced, so a command with the
 * sender's highest epoch needs no look at the journal: only an older one does.
 */
export class Fences {
  private readonly ofWorkflow = new RecentMap<number>(WORKFLOWS_MIN);
  private readonly ofProducer = new Map<string, number>();

  constructor(private readonly log: Log) {}

  async load(): Promise<void> {
    for (let after = ''; ;) {
      const page = await this.log.listDocuments(DOCUMENT, TENANT, { limit: 500, ...(after === '' ? {} : { after }) });
      for (const { id, data } of page) this.ofProducer.set(id, Number(data['epoch']));
      const last = page.at(-1);
      if (last === undefined || page.length < 500) return;
      after = last.id;
    }
  }

  /** `ask`: only the journal's rows of the workflow can tell. */
  check({ producer, command }: ReceivedCommand): 'pass' | 'fenced' | 'ask' {
    const known = this.ofWorkflow.get(command.workflow);
    if (known !== undefined) return command.epoch < known ? 'fenced' : 'pass';
    return command.epoch < (this.ofProducer.get(producer) ?? 0) ? 'ask' : 'pass';
  }

  /** The answer of the journal. */
  isFencedBy(rows: readonly StoredRow[], { command }: ReceivedCommand): boolean {
    return rows.some(row => {
      const state = stateOf(row);
      if (state.kind === 'prepared') return state.command.epoch > command.epoch;
      return state.kind === 'closed' && state.epoch > command.epoch;
    });
  }

  /** @returns what must be stored with the command because its sender's epoch has risen */
  passed({ producer, command }: ReceivedCommand): DocumentPut | null {
    this.ofWorkflow.set(command.workflow, command.epoch);
    if (command.epoch <= (this.ofProducer.get(producer) ?? 0)) return null;
    this.ofProducer.set(producer, command.epoch);
    return { kind: DOCUMENT, tenant: TENANT, id: producer, data: { epoch: command.epoch } };
  }
}
