import type { Log } from '@aifirst/store';
import { jobOf, stateOf } from './journal-rows';
import { callOf, versionOf } from './journal-key';
import type { Job } from './step-commands';

const PAGE_ROWS = 1_000;

/**
 * The claims from the low-water mark on that have no outcome and were not reported as unknown (those the orchestrator
 * asks about by itself), in the order of their acts.
 */
export async function openClaimsFrom(log: Log): Promise<readonly { readonly position: number; readonly job: Job }[]> {
  const open = new Map<string, { position: number; job: Job }>();
  const head = log.head();
  for (let after = Math.max(0, log.lowWater() - 1); after < head;) {
    const rows = await log.read(after, PAGE_ROWS);
    const last = rows.at(-1);
    if (last === undefined) break;
    for (const row of rows) {
      const state = stateOf(row);
      if (state.kind === 'prepared') open.set(`${row.stream}/${row.version}`, { position: row.position, job: jobOf(row.tenant, state) });
      else if (state.kind === 'outcome') open.delete(`${row.stream}/${versionOf(callOf(row.stream, row.version).call, 'claim')}`);
      else if (state.kind === 'note') for (const { workflow, version } of state.unknown) open.delete(`${workflow}/${version}`);
    }
    after = last.position;
  }
  return [...open.values()];
}
