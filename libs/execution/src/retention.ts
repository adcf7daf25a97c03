import type { Log } from '@aifirst/store';
import type { ConnectionResolver } from './execution-adapter';
import { callOf, slotOf, versionOf } from './journal-key';
import { jobOf, journaledOf, stateOf, type PreparedState } from './journal-rows';
import { stepKeyOf } from './step-commands';
import type { Workbench } from './workbench';

/** Its id is the log's name: shards share their documents. */
const DOCUMENT = { kind: 'execution.retention', tenant: 'system' } as const;
const ROWS_MAX = 500;
/** What an adapter can't let go of for so long is left where it lies. */
const STUCK_MS_MAX = 7 * 86_400_000;

/** `upTo`: no row up to this position is needed for undo any more. `failed`: tried again next time. */
export interface Swept { readonly forgotten: number; readonly failed: number; readonly upTo: number; readonly more: boolean }

export interface RetentionParts {
  readonly log: Log;
  readonly bench: Workbench;
  readonly connections: ConnectionResolver;
  readonly undoWindowMs: number;
  readonly isBusy: (slot: string) => boolean;
}

/** Walks the journal once, as its rows come of age, and has adapters let go of what they keep for undo. */
export class Retention {
  private cursor: number | null = null;

  constructor(private readonly parts: RetentionParts) {}

  async sweep(nowMs: number, rowsMax = ROWS_MAX): Promise<Swept> {
    const { log, bench, undoWindowMs } = this.parts;
    this.cursor ??= Number((await log.getDocument(DOCUMENT.kind, DOCUMENT.tenant, log.producer))?.data['position'] ?? 0);
    // Why: recovery still needs what lies behind the low-water mark.
    const rows = (await log.read(this.cursor, rowsMax)).filter(row => row.position < log.lowWater());
    const claims = [];
    let upTo = this.cursor;
    for (const row of rows) {
      const [message] = row.messages;
      const atMs = message === undefined ? 0 : Date.parse(message.event.time);
      if (atMs + undoWindowMs >= nowMs) break;
      const state = stateOf(row);
      if (state.kind === 'prepared' && state.direction === 'forward') {
        if (this.parts.isBusy(slotOf(state.command))) break;
        claims.push({ row, state, atMs });
      }
      upTo = row.position;
    }
    const outcomes = claims.length === 0 ? [] : await log.readVersions(claims.map(({ row }) => ({ stream: row.stream, version: versionOf(callOf(row.stream, row.version).call, 'outcome') })));
    let failed = 0, forgotten = 0;
    for (const { row, state, atMs } of claims) {
      const { call } = callOf(row.stream, row.version);
      const outcome = journaledOf([row, ...outcomes.filter(found => found.stream === row.stream)], call)?.outcome ?? null;
      // Why: the window counts from the outcome, which may have come much later than the claim.
      const isOpen = outcome?.report.undoableUntil !== undefined && outcome.report.undoableUntil >= nowMs;
      if (isOpen) { upTo = Math.min(upTo, row.position - 1); continue; }
      if (await this.forget(row.tenant, state, outcome?.after ?? null)) { forgotten++; continue; }
      failed++;
      if (atMs + undoWindowMs + STUCK_MS_MAX > nowMs) upTo = Math.min(upTo, row.position - 1);
    }
    if (upTo > this.cursor) {
      this.cursor = upTo;
      bench.writer.put({ ...DOCUMENT, id: this.parts.log.producer, data: { position: upTo } });
      bench.writer.wake();
    }
    return { forgotten, failed, upTo, more: rows.length > 0 && upTo === rows.at(-1)?.position };
  }

  private async forget(tenant: string, state: PreparedState, sealedAfter: PreparedState['before']): Promise<boolean> {
    const { bench, connections } = this.parts;
    const { command } = state;
    const offer = bench.maker.offer(command.capability);
    if (offer === undefined) return false;
    try {
      const connection = command.connection === null ? null : await connections.resolve(tenant, command.connection);
      // Why: of a target that is gone, or another one by now, nothing can be let go of.
      if ((connection?.digest ?? null) !== state.connectionDigest) return true;
      const job = jobOf(tenant, state);
      const call = { key: stepKeyOf(job), tenant, connection, capability: command.capability };
      const before = await bench.maker.openKept(offer.adapter, tenant, command.workflow, state.before);
      const after = sealedAfter === null ? null : await bench.maker.openKept(offer.adapter, tenant, command.workflow, sealedAfter);
      await offer.adapter.forget(call, before, after);
      return true;
    } catch {
      return false;
    }
  }
}
