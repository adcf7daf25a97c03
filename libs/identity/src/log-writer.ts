import { invariant } from '@aifirst/kernel';
import { VersionConflict, type Append, type Log, type StoredRow, type Unit } from '@aifirst/store';

/** Rows per commit at most: beyond it one commit's time grows faster than what it carries. */
const BATCH_MAX = 500;

interface Waiting {
  readonly append: Append;
  readonly resolve: (row: StoredRow) => void;
  readonly reject: (error: unknown) => void;
}
interface Alone {
  readonly unit: Unit;
  readonly resolve: (rows: readonly StoredRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The one loop that writes the gateway's log. What piled up while the last commit ran goes into the next one; a unit
 * with documents goes alone, so that its conflict is nobody else's.
 */
export class LogWriter {
  private waiting: Waiting[] = [];
  private readonly alone: Alone[] = [];
  private running: Promise<void> | null = null;

  /** @param around runs before and after each commit, for named crash points */
  constructor(readonly log: Log, private readonly around: { before(): void; after(): void } = { before: () => {}, after: () => {} }) {}

  /** How many rows wait for a commit. */
  depth(): number { return this.waiting.length + this.alone.length; }

  /**
   * Stores one row durably, together with what else is waiting.
   * @throws VersionConflict when its stream version or key exists, and whatever else keeps the log from storing
   */
  append(append: Append): Promise<StoredRow> {
    return new Promise((resolve, reject) => { this.waiting.push({ append, resolve, reject }); this.wake(); });
  }

  /** Stores a unit of its own durably. @throws VersionConflict */
  commit(unit: Unit): Promise<readonly StoredRow[]> {
    return new Promise((resolve, reject) => { this.alone.push({ unit, resolve, reject }); this.wake(); });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> { while (this.running !== null) await this.running; }

  private wake(): void { this.running ??= this.run().finally(() => { this.running = null; if (this.depth() > 0) this.wake(); }); }

  private async run(): Promise<void> {
    // Why: requests that arrive in the same turn of the event loop share the first commit too.
    await Promise.resolve();
    while (this.depth() > 0) {
      const next = this.alone.shift();
      if (next !== undefined) await this.store(next.unit).then(next.resolve, next.reject);
      if (this.waiting.length > 0) await this.storeBatch(this.waiting.splice(0, BATCH_MAX));
    }
  }

  private async store(unit: Unit): Promise<readonly StoredRow[]> {
    this.around.before();
    // Why the mark: what the gateway knows is in documents; how far its views have come is kept with them.
    const rows = await this.log.commit({ ...unit, lowWater: this.log.head() });
    this.around.after();
    return rows;
  }

  private async storeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const rows = await this.store({ appends: batch.map(one => one.append) });
      invariant(rows.length === batch.length, 'a log returns one row per append');
      batch.forEach((one, index) => one.resolve(rows[index]!));
    } catch (error) {
      if (!(error instanceof VersionConflict)) { for (const one of batch) one.reject(error); return; }
      this.putAside(batch, error);
    }
  }

  /** Nothing of the batch was stored: whoever came second is told, everybody else goes first in the next commit. */
  private putAside(batch: readonly Waiting[], conflict: VersionConflict): void {
    const keys = new Set(conflict.keys);
    const versions = new Set(conflict.streams.map(({ stream, version }) => `${stream}/${version}`));
    const known = ({ append }: Waiting) => (append.key !== undefined && keys.has(append.key)) || versions.has(`${append.stream}/${append.version}`);
    const again = batch.filter(one => !known(one));
    for (const one of batch) if (known(one)) one.reject(conflict);
    if (again.length < batch.length) { this.waiting = [...again, ...this.waiting]; return; }
    for (const one of batch) one.reject(conflict);
  }
}
