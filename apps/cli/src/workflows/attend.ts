import type { JsonObject } from '@aifirst/kernel';
import { listOf, outcomeOf, textOf } from '../plan/plan';
import { EXIT, type ExitCode, type Surroundings } from '../exit';
import { Refused } from '../refused';
import type { Screen } from '../screen/screen';
import { bold, dim, line, yellow } from '../screen/shown';
import { pause, workflowPath, type Server } from '../server';
import { factsOf, type Fact } from './facts';
import { FactLines, statusText } from './show-fact';
import { shownSteps, whyAndWhatNext } from './show-workflow';

const ENDED = ['completed', 'rolledBack', 'rejected', 'failed', 'cancelled'];
const PARKED = ['paused', 'awaitingApproval', 'rollbackBlocked'];
/** The view may come a little after the fact. */
const CATCH_UP_MS = 5_000;
const ASK_AGAIN_MS = 100;

export interface Attending {
  readonly server: Server;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly after?: string | null;
  /** Whether it is over when a person has to decide; else it is waited for them too. */
  readonly untilParked: boolean;
  /** The workflow, where what is shown does not begin with it. */
  readonly known?: JsonObject;
  /** Of each fact, in place of a line. */
  readonly show?: (fact: Fact) => void;
}

/** Shows what happens until the workflow rests. @returns it, or null when it was interrupted */
export async function attend(workflow: string, { server, screen, signal, after = null, untilParked, known, show }: Attending): Promise<JsonObject | null> {
  const lines = new FactLines(listOf(known?.['steps']));
  let isBroken = false;
  let last = after;
  for (;;) {
    let isParking = false;
    const onBreak = (why: string) => { if (!isBroken) screen.note(yellow(line`lost sight of it (${why}); trying again …`)); isBroken = true; };
    for await (const fact of factsOf(server, workflow, { after: last, signal, onBreak })) {
      isBroken = false;
      last = textOf(fact.event['sequence']) || last;
      if (show === undefined) screen.live(...lines.of(fact)); else show(fact);
      isParking = untilParked && isParkingFact(fact);
      if (isParking) break;
    }
    if (signal.aborted) return null;
    const view = await restingView(server, workflow, isParking ? [...PARKED, ...ENDED] : ENDED, signal);
    if (signal.aborted) return null;
    if (view !== null) return view;
  }
}

const isParkingFact = ({ name, data }: Fact): boolean =>
  name === 'workflow-paused' || name === 'rollback-parked' || (name === 'policy-decided' && data['action'] === 'execute' && listOf(data['decisions']).some(decision => outcomeOf(decision) === 'approve'));

/** @returns null where it has gone on meanwhile */
async function restingView(server: Server, workflow: string, statuses: readonly string[], signal: AbortSignal): Promise<JsonObject | null> {
  const giveUpAt = performance.now() + CATCH_UP_MS;
  for (;;) {
    const { body } = await server.call('GET', workflowPath(workflow), { signal });
    if (statuses.includes(textOf(body['status']))) return body;
    if (performance.now() > giveUpAt || signal.aborted) return null;
    await pause(ASK_AGAIN_MS, signal);
  }
}

/** What came of it. @param asDocument for programs, as a document @returns 0 if that was wanted */
export function conclude(view: JsonObject, screen: Screen, wanted: readonly string[], asDocument = true): ExitCode {
  const status = textOf(view['status']);
  if (!screen.isForPeople) { if (asDocument) screen.document(view); }
  else {
    screen.line(line``, line`${statusText(status)}  ${bold(textOf(view['id']))}`);
    if (status !== 'completed') screen.line(...shownSteps(view, screen.width));
    screen.line(...whyAndWhatNext(view));
    if (PARKED.includes(status)) screen.line(line`${dim('go on watching:')} aifirst watch ${textOf(view['id'])}`);
  }
  return wanted.includes(status) ? EXIT.ok : EXIT.refused;
}

/** Runs until it is done or somebody presses Ctrl-C, who is told what goes on. */
export async function interruptible({ onInterrupt }: Surroundings, run: (signal: AbortSignal) => Promise<ExitCode | null>, interrupted: () => void): Promise<ExitCode> {
  const stop = new AbortController();
  const forget = onInterrupt?.(() => { stop.abort(); });
  const told = (): ExitCode => { interrupted(); return EXIT.interrupted; };
  try {
    return await run(stop.signal) ?? told();
  } catch (error) {
    if (stop.signal.aborted && !(error instanceof Refused)) return told();
    throw error;
  } finally {
    forget?.();
  }
}

export const goesOn = (workflow: string, screen: Screen): void => {
  screen.note(line``, yellow(line`stopped watching; workflow ${bold(workflow)} goes on on the server`), line`  ${dim('watch it:')}  aifirst watch ${workflow}`, line`  ${dim('stop it:')}   aifirst cancel ${workflow}`, line`  ${dim('undo it:')}   aifirst rollback ${workflow} --reason …`);
};

/** Where its facts end now, to show only what comes after. */
export async function lastFactOf(server: Server, workflow: string): Promise<string | null> {
  let last: string | null = null;
  for await (const fact of server.list(`${workflowPath(workflow)}/events`, {})) last = textOf(fact['sequence']) || last;
  return last;
}
