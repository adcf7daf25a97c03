import type { Answer, Body, Http } from './http';
import { Client } from './http';
import { until } from './wait';

export interface ConnectionRoot { readonly name: string; readonly root: string }
export interface AgentOptions { readonly name?: string; readonly capabilities?: readonly string[]; readonly connections?: readonly string[]; readonly connection?: ConnectionRoot }
export interface Step { readonly id: string; readonly capability: string; readonly input?: object; readonly [more: string]: unknown }

const RESTING = ['completed', 'rolledBack', 'rejected', 'failed', 'cancelled', 'paused', 'awaitingApproval', 'rollbackBlocked'];
const REST_MS_MAX = 60_000;

/** Calls as an agent, with the words of an agent. */
export class AgentClient extends Client {
  constructor(http: Http, token: string, readonly id: string, readonly role: string, readonly connection: ConnectionRoot) { super(http, token); }
  get root(): string { return this.connection.root; }

  /** A step on this agent's connection. */
  fs(verb: string, id: string, input: object, more: object = {}): Step { return { id, capability: `fs.${verb}`, input: { connection: this.connection.name, ...input }, ...more }; }

  submit(steps: readonly Step[], more: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.post('/v1/intents', { goal: 'test', steps, ...more }, headers);
  }
  /** @returns the workflow's id */
  async start(steps: readonly Step[], more: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    return (await this.must(202, 'POST', '/v1/intents', { body: { goal: 'test', steps, ...more }, headers })).workflowId;
  }
  /** @returns the workflow when it has ended, or waits for a person */
  async run(steps: readonly Step[], more: object = {}): Promise<Body> {
    const answer = await this.submit(steps, more, { prefer: 'wait=30' });
    if (answer.status === 200) return answer.body;
    if (answer.status !== 202) throw new Error(`the intent was answered with ${answer.status}: ${answer.bytes.toString('utf8').slice(0, 2_000)}`);
    return this.rest(answer.body.workflowId);
  }

  workflow(id: string): Promise<Body> { return this.must(200, 'GET', `/v1/workflows/${id}`); }
  rest(id: string, withinMs = REST_MS_MAX): Promise<Body> { return this.reaches(id, RESTING, withinMs); }
  /** @returns the workflow when it has one of these statuses */
  async reaches(id: string, statuses: readonly string[], withinMs = REST_MS_MAX): Promise<Body> {
    let last: Body;
    return until(`workflow ${id} is ${statuses.join(' or ')}`, async () => {
      last = await this.workflow(id);
      return statuses.includes(last.status) ? last : undefined;
    }, withinMs).catch((error: Error) => { throw new Error(`${error.message}; it is: ${briefly(last)}`); });
  }
}

export const noop = (id: string, input: object = {}, more: object = {}): Step => ({ id, capability: 'noop', input, ...more });
export const sleep = (id: string, ms: number, more: object = {}): Step => ({ id, capability: 'timer.sleep', input: { ms }, ...more });
export const after = (...ids: readonly string[]): { dependsOn: readonly string[] } => ({ dependsOn: ids });
export const ref = (step: string, pointer = ''): object => ({ $ref: `#/steps/${step}/output${pointer}` });

export const stepOf = (workflow: Body, id: string): Body => workflow.steps.find((step: Body) => step.id === id);

const SHOWN_MAX = 20;

/** A workflow in a line, for messages. */
export function briefly(workflow: Body): string {
  if (workflow === undefined) return 'unknown';
  const steps: string[] = workflow.steps.map((step: Body) => [step.id, step.status, step.error && `${step.error.code}: ${step.error.detail}`, step.undo && `undo ${step.undo.status}${step.undo.verified ? ' verified' : ''} ${step.undo.reason ?? ''}`].filter(Boolean).join(' '));
  const shown = steps.length <= SHOWN_MAX ? steps : [...new Set(steps.map(step => step.replace(/^\S+ /, '')))].map(kind => `${steps.filter(step => step.endsWith(kind)).length} steps ${kind}`);
  return `${workflow.id} ${workflow.status}${workflow.statusReason === null ? '' : ` (${workflow.statusReason.code}: ${workflow.statusReason.detail})`}; ${shown.join('; ')}`;
}

/** `expect` that shows the whole workflow when it is not as it should be. */
export function expectStatus(workflow: Body, status: string): void {
  if (workflow.status !== status) throw new Error(`the workflow is not \`${status}\`: ${briefly(workflow)}`);
}
