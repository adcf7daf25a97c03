import { AiFirstError, Client, Unavailable, WorkflowFailed, WorkflowParked } from '@aifirst/client';
import type { AskPerson } from '../carry-out';
import { PlannerError, type PlanProblem } from '../errors';
import type { JsonObject } from '../json';
import { endpointFromEnvironment } from '../model/endpoint-options';
import type { Progress } from '../plan-maker';
import { Planner } from '../planner';
import { PlanStale, type Proposal } from '../proposal';
import { clean } from '../show/clean';
import { workflowLines } from '../show/workflow-lines';
import { readCommandLine, USAGE, type CommandLine } from './options';
import { EXIT, WrongUsage, type ExitCode, type Surroundings } from './surroundings';

const UNREACHABLE = new Set(['MODEL_UNREACHABLE', 'MODEL_TIMEOUT']);
const PROBLEMS_SHOWN = 10;

/** `aifirst-planner`, as a function of what it was called with and what is around it. */
export async function run(argv: readonly string[], around: Surroundings): Promise<ExitCode> {
  let line: CommandLine | null;
  try {
    line = readCommandLine(argv, around.env);
    if (line === null) { around.out(USAGE); return EXIT.ok; }
    return await new Session(line, around).run();
  } catch (error) {
    if (error instanceof WrongUsage || (error instanceof PlannerError && error.code === 'BAD_OPTION') || error instanceof TypeError) {
      around.err(`aifirst-planner: ${clean(error.message)}\n`);
      return EXIT.usage;
    }
    throw error;
  }
}

/** From a goal to what came of it. */
class Session {
  private readonly interrupt = new AbortController();
  private workflow: string | null = null;
  private agreed = false;

  constructor(private readonly line: CommandLine, private readonly around: Surroundings) {}

  async run(): Promise<ExitCode> {
    const { line, around } = this;
    if (!line.yes && !line.planOnly && !this.isAttended) throw new WrongUsage('nobody can be asked: this is no terminal. --plan-only shows the plan and does nothing; --yes does it without asking anybody');
    const planner = new Planner({ client: new Client({ url: line.url, token: line.token }), model: endpointFromEnvironment(around.env), ...line.limits, onProgress: progress => { this.tell(progress); } });
    const stopListening = around.onInterrupt(() => { this.interrupt.abort(); });
    try {
      return await this.carryOut(planner);
    } catch (error) {
      return this.failed(error);
    } finally {
      stopListening();
    }
  }

  private get isAttended(): boolean { const { input, out, err } = this.around.terminal; return input && (this.line.json ? err : out); }

  private async carryOut(planner: Planner): Promise<ExitCode> {
    const { line, around } = this;
    const { signal } = this.interrupt;
    if (line.planOnly) {
      const proposal = await planner.propose(line.goal, signal);
      this.show(proposal, null);
      this.document({ outcome: 'planned', ...told(proposal) });
      return EXIT.ok;
    }
    const ask: AskPerson = async (proposal, moved) => {
      this.agreed = false;
      this.show(proposal, moved);
      if (line.yes) { this.say('--yes: nobody is asked'); return (this.agreed = true); }
      const answer = await Promise.race([around.ask(() => { this.write('\nType yes to do exactly this, anything else to do nothing: '); }), aborted(signal)]);
      return (this.agreed = answer?.trim() === 'yes');
    };
    const carried = await planner.carryOut(line.goal, { ask, signal, onSubmitted: id => { this.workflow = id; this.say(`workflow ${clean(id)} is taken in`); } });
    if (carried.outcome === 'declined') {
      this.say('nothing was done');
      this.document({ outcome: 'declined', ...told(carried.proposal) });
      return EXIT.otherwise;
    }
    const workflow = carried.workflow as unknown as JsonObject;
    this.say(...workflowLines(workflow));
    this.document({ outcome: 'completed', ...told(carried.proposal), workflow });
    return EXIT.ok;
  }

  private failed(error: unknown): ExitCode {
    if (this.interrupt.signal.aborted) {
      this.note(this.workflow !== null ? `stopped waiting: workflow ${clean(this.workflow)} goes on` : this.agreed ? 'stopped; it is not known whether the plan was taken in: look at the workflows of this agent' : 'stopped; nothing was done');
      return EXIT.interrupted;
    }
    if (error instanceof WorkflowFailed) {
      const workflow = error.workflow as unknown as JsonObject;
      this.say(...workflowLines(workflow));
      this.document({ outcome: error instanceof WorkflowParked ? 'parked' : 'failed', code: error.code, detail: error.detail, workflow });
      return EXIT.otherwise;
    }
    if (!(error instanceof PlannerError || error instanceof PlanStale || error instanceof AiFirstError)) throw error;
    // Why line by line: a message of the client has several.
    for (const one of error.message.split('\n')) this.note(clean(one, 4_000));
    this.document({ outcome: 'failed', code: error.code, detail: error.message, ...(error instanceof AiFirstError ? {} : { problems: error.problems }) });
    return error instanceof Unavailable || UNREACHABLE.has(error.code) ? EXIT.unreachable : EXIT.otherwise;
  }

  private tell(progress: Progress): void {
    if (progress.type === 'asking') { this.note(`asking the model, ${progress.round} of at most ${progress.roundsMax} times`); return; }
    this.note('  refused:', ...problemLines(progress.problems));
  }

  private show(proposal: Proposal, moved: readonly PlanProblem[] | null): void {
    if (moved !== null) this.say('', 'nothing was done: what was shown does not hold any more. It is planned again.', ...problemLines(moved));
    this.say('', ...proposal.lines);
  }

  /** To people. */
  private say(...lines: readonly string[]): void { for (const one of lines) this.write(`${one}\n`); }
  private write(text: string): void { if (this.line.json) this.around.err(text); else this.around.out(text); }
  private note(...lines: readonly string[]): void { for (const one of lines) this.around.err(`${one}\n`); }
  private document(value: object): void { if (this.line.json) this.around.out(`${JSON.stringify(value)}\n`); }
}

const told = ({ goal, understood, rounds, tokens, intent, plan }: Proposal) => ({ goal, understood, rounds, tokens, intent, plan });

function problemLines(problems: readonly PlanProblem[]): readonly string[] {
  const lines = problems.slice(0, PROBLEMS_SHOWN).map(({ code, pointer, detail }) => `    ${clean(`${code}${pointer === undefined ? '' : ` at ${pointer}`}: ${detail}`, 500)}`);
  return problems.length > PROBLEMS_SHOWN ? [...lines, `    and ${problems.length - PROBLEMS_SHOWN} more`] : lines;
}

/** Rejected as soon as it is aborted. */
const aborted = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
  if (signal.aborted) reject(signal.reason as Error);
  signal.addEventListener('abort', () => { reject(signal.reason as Error); }, { once: true });
});
