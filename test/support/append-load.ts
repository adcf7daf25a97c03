import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, briefly, noop, type AgentClient, type Step } from './agent';
import type { Body } from './http';
import type { Stack } from './stack';
import { pause, until } from './wait';

export interface Sent { readonly key: string; readonly lines: Readonly<Record<string, string>>; readonly shouldFail: boolean; workflow: string | null }

const FILES = ['a.log', 'b.log', 'c.log', 'deep/er/d.log'];

/**
 * Workflows that each append a line of their own to shared files and pass through noops; every third fails at its end.
 * Whatever was killed meanwhile: everything that was accepted ends, and its lines stand exactly once if and only if it completed.
 */
export class AppendLoad {
  readonly sent: Sent[] = [];
  /** How often a caller had no answer. */
  lost = 0;
  /** Intents that wait for their answer. */
  waiting = 0;
  /** `sendAll` sends no intent of this number or above until it is raised. */
  allowed = Infinity;

  /** @param name tells it from other loads of the same agent; its files lie in a folder of this name. Workflows on one file take turns. */
  constructor(private readonly stack: Stack, private readonly agent: AgentClient, private readonly name = 'load', private readonly files: readonly string[] = FILES) {}

  /** Sends one intent until it is answered, with the same key each time: a caller can't know whether the first came through. */
  async send(n: number): Promise<Sent> {
    const files = [this.files[n % this.files.length]!, this.files[(n * 7 + 1) % this.files.length]!].map(file => `${this.name}/${file}`).filter((file, at, both) => both.indexOf(file) === at);
    const one: Sent = { key: `${this.name}-${n}`, lines: Object.fromEntries(files.map((file, at) => [file, `line ${n}.${at}\n`])), shouldFail: n % 3 === 0, workflow: null };
    this.sent.push(one);
    const steps: Step[] = [
      noop('begin', { value: n }),
      ...files.map((file, at) => this.agent.fs('append', `append${at}`, { path: file, content: one.lines[file] }, after(at === 0 ? 'begin' : 'append0'))),
      noop('end', one.shouldFail ? { fail: 'clean' } : {}, after(...files.map((_, at) => `append${at}`))),
    ];
    for (;;) {
      this.waiting++;
      try {
        const answer = await this.agent.submit(steps, { goal: one.key, labels: { load: this.name } }, { 'idempotency-key': one.key });
        if (answer.status === 202) { one.workflow = answer.body.workflowId; return one; }
        if (answer.status !== 503) throw new Unexpected(`intent ${n} was answered with ${answer.status}: ${answer.bytes.toString()}`);
      } catch (error) {
        if (error instanceof Unexpected) throw error;
        this.lost++;
      } finally {
        this.waiting--;
      }
      await pause(50);
    }
  }

  /** All of them, so many at a time. */
  async sendAll(count: number, concurrency: number, first = this.sent.length): Promise<void> {
    let next = first;
    await Promise.all(Array.from({ length: concurrency }, async () => {
      while (next < first + count) {
        if (next < this.allowed) await this.send(next++);
        else await pause(2);
      }
    }));
  }

  /** Waits for the end of all, then holds the files against it. @returns what is wrong, as lines */
  async faults(withinMs: number): Promise<string[]> {
    const views = new Map<string, Body>();
    const open = (): string[] => [...views.values()].filter(({ endedAt }) => endedAt === null).map(briefly);
    await until('every workflow that was accepted has ended', async () => {
      for (const view of await this.stack.admin.all(`/v1/workflows?label=load=${this.name}`)) views.set(view.id, view);
      if (open().length > 0) throw new Error(`${open().length} have not: ${open().slice(0, 3).join(' | ')}`);
      return views.size >= this.sent.length;
    }, withinMs, 200);
    const found: string[] = [];
    if (views.size !== this.sent.length) found.push(`${views.size} workflows for ${this.sent.length} intents`);
    const contents = Object.fromEntries(this.files.map(file => `${this.name}/${file}`).map(file => [file, contentOf(join(this.agent.root, file))]));
    for (const { key, workflow, lines, shouldFail } of this.sent) {
      const view = views.get(workflow!);
      const expected = shouldFail ? 'rolledBack' : 'completed';
      if (view?.status !== expected) found.push(`${key} is not \`${expected}\`: ${briefly(view)}`);
      for (const [file, line] of Object.entries(lines)) {
        const times = contents[file]!.split('\n').filter(text => `${text}\n` === line).length;
        const wanted = view?.status === 'completed' ? 1 : 0;
        if (times !== wanted) found.push(`${key} is \`${view?.status}\`, and its line stands ${times} times in ${file}: ${briefly(view)}`);
      }
      for (const step of view?.status === 'rolledBack' ? view.steps : []) if (step.undo?.status === 'done' && step.undo.verified !== true) found.push(`${key}: the undo of ${step.id} was not verified: ${step.undo.reason}`);
    }
    const strange = Object.entries(contents).flatMap(([file, text]) => text.split('\n').filter(line => line !== '' && !/^line \d+\.\d$/.test(line)).map(line => `${file} holds ${JSON.stringify(line)}`));
    return [...found, ...strange];
  }

  get workflows(): string[] { return this.sent.map(({ workflow }) => workflow!); }
}

class Unexpected extends Error {}

const contentOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
