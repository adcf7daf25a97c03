import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, expectStatus, noop, type AgentClient } from '../support/agent';
import { freePort } from '../support/ports';
import { useStack } from '../support/stack';
import { pause, until } from '../support/wait';
import { alerts, dashboards, have, isDistributed, ROOT, run } from './tools';

const hasPromtool = have('promtool', '--version', 'Debian: prometheus', 'checks of the alerts and of Prometheus\' configuration');
const hasPrometheus = have('prometheus', '--version', 'Debian: prometheus', 'the dashboards\' queries against a real run');

(hasPromtool ? describe : describe.skip)('Prometheus\' files', () => {
  it.each([
    ['configuration', ['check', 'config', 'deploy/prometheus/prometheus.yml']],
    ['alerts', ['check', 'rules', '--lint-fatal', 'deploy/prometheus/alerts.yml']],
    ['tests of the alerts, each raised and not raised', ['test', 'rules', 'deploy/prometheus/tests/alerts.yml']],
  ])('hold what promtool takes: %s', (_, args) => {
    const { status, stdout, stderr } = run('promtool', args);
    expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
  });
});

interface Sample { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }
interface Rule { readonly name: string; readonly health: string; readonly lastError?: string; readonly state: string; readonly alerts: readonly { readonly state: string; readonly labels: Readonly<Record<string, string>> }[] }

/** A real server that scrapes one address each second, with our alerts. */
class Prometheus {
  private readonly folder = mkdtempSync(join(tmpdir(), 'aifirst-prometheus-'));
  private child: ChildProcess | null = null;
  private url = '';
  private output = '';

  async start(target: string): Promise<void> {
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    const config = join(this.folder, 'prometheus.yml');
    writeFileSync(config, JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' }, rule_files: [join(ROOT, 'deploy/prometheus/alerts.yml')],
      scrape_configs: [{ job_name: 'aifirst', static_configs: [{ targets: [target], labels: { process: 'runtime' } }] }],
    }));
    this.child = spawn('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${join(this.folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => { this.output += text; });
    await until('Prometheus is ready', async () => (await fetch(`${this.url}/-/ready`)).ok, 30_000).catch((error: Error) => { throw new Error(`${error.message}; it wrote:\n${this.output.slice(-2_000)}`); });
  }

  private async get<T>(path: string): Promise<T> {
    const answer = await (await fetch(this.url + path)).json() as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  }
  async query(expr: string): Promise<readonly Sample[]> { return (await this.get<{ result: readonly Sample[] }>(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result; }
  async rules(): Promise<readonly Rule[]> { return (await this.get<{ groups: readonly { rules: readonly Rule[] }[] }>('/api/v1/rules')).groups.flatMap(({ rules }) => rules); }

  async stop(): Promise<void> {
    const { child } = this;
    if (child !== null && child.exitCode === null) {
      const ended = new Promise(resolve => child.once('exit', resolve));
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Grafana's own words for spans of time; scraped each second, as here, these are enough. */
const asked = (expr: string): string => expr.replaceAll('$__rate_interval', '15s').replaceAll('$__range', '1m');
const isFilled = (samples: readonly Sample[]): boolean => samples.some(({ value: [, text] }) => Number.isFinite(Number(text)));

(hasPrometheus ? describe : describe.skip)('what a real run exports', () => {
  const world = useStack();
  const prometheus = new Prometheus();
  let stopping = false;
  let traffic: Promise<void> = Promise.resolve();

  beforeAll(async () => {
    await prometheus.start(new URL(world.stack.url).host);
    const agent = await world.stack.agent();
    const clerk = await world.stack.agent({ capabilities: ['noop'] });
    await parkOne(agent);
    traffic = (async () => { for (let round = 0; !stopping; round++) { await everyOutcome(agent, clerk, round); await pause(200); } })();
    traffic.catch(() => undefined);
  }, 120_000);
  afterAll(async () => {
    stopping = true;
    await traffic.catch(() => undefined);
    await prometheus.stop();
  }, 60_000);

  /** One whose undo a foreign change blocks, and one that waits for a person. */
  async function parkOne(agent: AgentClient): Promise<void> {
    const done = await agent.run([agent.fs('write', 'write', { path: 'theirs.txt', content: 'ours' })]);
    expectStatus(done, 'completed');
    expect(existsSync(join(agent.root, 'theirs.txt'))).toBe(true);
    writeFileSync(join(agent.root, 'theirs.txt'), 'somebody else\'s');
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${done.id}/rollback`, { body: { reason: 'to see it blocked' } });
    await agent.reaches(done.id, ['rollbackBlocked']);
    expectStatus(await agent.run([noop('stops', { fail: 'clean' })], { onFailure: 'pause' }), 'paused');
  }

  async function everyOutcome(agent: AgentClient, clerk: AgentClient, round: number): Promise<void> {
    expectStatus(await agent.run([agent.fs('write', 'write', { path: `${round}.txt`, content: 'x' }), noop('then', {}, after('write'))]), 'completed');
    expectStatus(await agent.run([agent.fs('append', 'append', { path: 'log.txt', content: 'x' }), noop('fails', { fail: 'clean' }, after('append'))]), 'rolledBack');
    expectStatus(await clerk.run([clerk.fs('write', 'write', { path: 'not-allowed.txt', content: 'x' })]), 'rejected');
  }

  it('fills every panel of every dashboard', async () => {
    const wanted = dashboards().flatMap(({ title, panels }) => panels.filter(panel => !isDistributed(panel)).flatMap(panel => (panel.targets ?? []).map(({ expr }) => ({ name: `${title}, ${panel.title}: ${expr}`, expr }))));
    expect(wanted.length).toBeGreaterThan(25);
    let empty = wanted.map(({ name }) => name);
    await until('no panel is empty', async () => {
      const left = [];
      for (const { name, expr } of wanted) if (!isFilled(await prometheus.query(asked(expr)))) left.push(name);
      empty = left;
      return left.length === 0;
    }, 45_000, 1_000).catch(() => undefined);
    expect(empty).toEqual([]);
  });

  it('is asked in words that Prometheus understands also where only the distributed form has an answer', async () => {
    for (const { panels } of dashboards()) for (const panel of panels.filter(isDistributed)) for (const { expr } of panel.targets ?? []) await prometheus.query(asked(expr));
  });

  it('shows each outcome under its name', async () => {
    const statuses = (await prometheus.query('sum by (status) (aifirst_workflows_total)')).map(({ metric }) => metric['status']);
    expect(statuses).toEqual(expect.arrayContaining(['completed', 'rolledBack', 'rejected', 'paused', 'rollbackBlocked']));
    expect((await prometheus.query('sum by (decision) (aifirst_decisions_total)')).map(({ metric }) => metric['decision']).sort()).toEqual(['allow', 'deny']);
  });

  it('has every alert evaluated without an error, and raises the one for an undo that is blocked', async () => {
    const names = alerts().map(({ name }) => name);
    const rules = await until('all alerts were evaluated', async () => {
      const found = await prometheus.rules();
      return found.length === names.length && found.every(({ health }) => health !== 'unknown') ? found : undefined;
    });
    expect(rules.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`)).toEqual([]);
    await until('UndoBlocked is raised', async () => (await prometheus.rules()).some(({ name, state }) => name === 'UndoBlocked' && state === 'firing'));
    const waiting = await until('WorkflowsParked waits for its time', async () => (await prometheus.rules()).find(({ name, state }) => name === 'WorkflowsParked' && state === 'pending'));
    expect(waiting.alerts.map(({ labels }) => labels['status']).sort()).toEqual(['paused', 'rollbackBlocked']);
    const quiet = (await prometheus.rules()).filter(({ state }) => state === 'firing').map(({ name }) => name);
    expect(quiet).toEqual(['UndoBlocked']);
  });
});
