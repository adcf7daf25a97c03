import { isDeepStrictEqual } from 'node:util';
import { foldView } from '@aifirst/api';
import { isFactTopic, PARKED, type WorkflowView } from '@aifirst/contracts';
import { hasEnded } from '@aifirst/orchestration';
import type { StoredRow } from '@aifirst/store';
import { SERVICES, type Cluster } from '../cluster';
import type { History } from '../history';
import { disagreements, partsOf, stampAt } from './effects';
import type { LiveChecks } from './live-checks';

/** When all has come to rest: every promise, over everything that is stored and everything that lies at the target. */
export async function finalChecks(cluster: Cluster, history: History, checks: LiveChecks): Promise<void> {
  const wrong = (rule: string, what: string): void => { checks.violations.push(`${rule}: ${what}`); };

  for (const workflow of history.accepted.keys()) {
    const state = history.workflows.get(workflow);
    if (state === undefined) { wrong('nothing accepted is lost', `${workflow} was accepted and never begun`); continue; }
    if (!hasEnded(state) && !PARKED.includes(state.status)) wrong('all, undone or parked', `${workflow} is \`${state.status}\``);
    if (state.status === 'paused' && (state.paused?.code ?? '') === '') wrong('all, undone or parked', `${workflow} is paused without a reason`);
    for (const what of disagreements(state, checks.effects, true)) wrong('all, undone or parked', what);
  }

  for (const [path, { writer, stamp }] of cluster.target.look()) {
    if (writer === 'foreign' || checks.effects.stands(writer)) continue;
    // Why: where a later workflow took it away first, that one's own undo has put it back.
    const last = cluster.target.ledger.findLast(change => stampAt(change.after, path) === stamp && stampAt(change.before, path) !== stamp);
    if (last === undefined || last.key === 'foreign' || partsOf(last.key).workflow === partsOf(writer).workflow) wrong('undo is exact', `${path} still holds what ${partsOf(writer).workflow} took back (${writer})`);
  }

  for (const service of SERVICES) {
    const log = await cluster.read(service);
    inOrder(service, await log.read(0, Number.MAX_SAFE_INTEGER), wrong);
  }

  for (const [workflow, records] of history.ofWorkflow) {
    const expected = records.reduce<WorkflowView | null>((view, { event }) => foldView(view, event), null);
    const seen = cluster.views.peek(workflow)?.view;
    // Why: before the first fact the gateway says when it was taken in.
    if (!isDeepStrictEqual(asJson({ ...seen, createdAt: expected?.createdAt }), asJson(expected))) wrong('views show what is', `${workflow} is \`${expected?.status}\`, its view \`${seen?.status}\``);
  }

  for (const { event, tick } of history.facts) {
    if (event.causationid === undefined) continue;
    const cause = history.byId.get(event.causationid);
    // Why: what is not a fact (a command, an order) stands in no row of facts.
    if (cause !== undefined && (cause.tick > tick || cause.event.id === event.id)) wrong('causality', `${event.id} comes before its cause ${event.causationid}`);
  }
}

const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function inOrder(service: string, rows: readonly StoredRow[], wrong: (rule: string, what: string) => void): void {
  let sequence = 0;
  const ids = new Set<string>();
  rows.forEach((row, index) => {
    if (row.position !== index + 1) wrong('logs have no gap', `${service} has row ${row.position} in place ${index + 1}`);
    for (const { topic, event } of row.messages) {
      if (!isFactTopic(topic)) continue;
      if (event.sequence !== ++sequence) wrong('logs have no gap', `${service} numbers a fact ${event.sequence ?? 'not'} in place ${sequence}`);
      if (ids.has(event.id)) wrong('ids are unique', `${service} has fact ${event.id} twice`);
      ids.add(event.id);
    }
  });
}
