import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentClient, type AgentOptions, type ConnectionRoot } from './agent';
import { ROOT, ensureBuilt } from './build';
import { Conformance } from './conformance';
import { Distribution, isDistributed } from './distribution';
import { Client, Http, type Body } from './http';
import { freePort, freePorts } from './ports';
import { processesOf } from './processes';
import { until } from './wait';

export interface StackOptions {
  /** Beside `DATA_DIR` and `PORT`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the first start makes the demonstration; not unless asked for. */
  readonly demo?: boolean;
}

export interface Exit { readonly code: number | null; readonly signal: NodeJS.Signals | null }

const READY_MS_MAX = 60_000;
/** Compiling, a database of its own, and until it is ready: that it was not has to be told, with what it wrote. */
const START_MS_MAX = 150_000;
const STOP_MS_MAX = 15_000;
const OUTPUT_SHOWN = 4_000;
/** Of eight services, with four copies of each. */
const PORTS = 40;
/** Where gateway, orchestrator, policy, audit, adapter-os and adapter-sql listen, from the first port on. */
const SERVICES = [0, 1, 2, 3, 4, 6];
const running = new Set<ChildProcess>();
// Why: whatever becomes of the test, nothing it started outlives it. A test that is killed is noticed by the runtime's channel to it.
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });

/** The real runtime in a process of its own, on a free port and a data folder of its own, until `stop`. */
export class Stack {
  readonly folder: string;
  readonly dataDir: string;
  url = '';
  readonly http: Http;
  /** Everything that any of its processes wrote. */
  output = '';
  /** Where in `output` that of the last start begins. */
  private launchedAt = 0;
  private child: ChildProcess | null = null;
  private exited: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  private names = 0;
  private adminClient: Client | null = null;
  /** Every service its own process, on Kafka; null: all in one. */
  readonly distribution: Distribution | null = isDistributed ? new Distribution() : null;

  private constructor(private readonly options: StackOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'aifirst-e2e-'));
    chmodSync(this.folder, 0o711); // Why: as root the database runs as another user, which must get to its folder in this one.
    this.dataDir = join(this.folder, 'data');
    this.http = new Http(this);
  }

  static async start(options: StackOptions = {}): Promise<Stack> {
    const stack = new Stack(options);
    try {
      await stack.launch();
      await stack.ready();
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  /** A stack whose process somebody else starts, with `environment`. */
  static async prepared(options: StackOptions = {}): Promise<Stack> {
    const stack = new Stack(options);
    stack.url = `http://127.0.0.1:${await freePort()}`;
    return stack;
  }

  /** Starts the process; `ready` waits for it. */
  async launch(env: Readonly<Record<string, string>> = {}): Promise<void> {
    await ensureBuilt();
    await this.distribution?.prepare();
    if (this.url === '') this.url = `http://127.0.0.1:${await (this.distribution === null ? freePort() : freePorts(PORTS))}`;
    const child = spawn(process.execPath, ['--no-turbo-inline-js-wasm-calls', `apps/runtime/dist/${this.distribution === null ? 'main' : 'distributed'}.js`], { cwd: ROOT, env: { ...this.environment(), ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.launchedAt = this.output.length;
    for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text: string) => { this.output += text; });
    running.add(child);
    this.child = child;
    this.exited = new Promise(resolve => { child.once('close', (code, signal) => { running.delete(child); resolve({ code, signal }); }); });
  }

  environment(): Record<string, string> {
    const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
    return { PATH, HOME, LANG, DATA_DIR: this.dataDir, PORT: new URL(this.url).port, DEMO: this.options.demo === true ? '1' : '0', ...this.distribution?.environment(), ...this.options.env };
  }

  async ready(withinMs = READY_MS_MAX): Promise<void> {
    const child = this.child;
    await until(`the runtime is ready`, async () => {
      if (child !== null && (child.exitCode !== null || child.signalCode !== null)) throw new Gone(`the runtime ended with ${child.exitCode ?? child.signalCode} before it was ready`);
      return (await this.http.call('GET', '/health/ready')).status === 200;
    }, withinMs, 50, Gone).catch((error: Error) => { throw new Error(`${error.message}; it wrote:\n${this.output.slice(-OUTPUT_SHOWN)}`); });
    if (this.conformance === null) {
      const conformance = new Conformance((await this.http.call('GET', '/openapi.json')).body);
      this.conformance = conformance;
      this.http.watch = (method, path, answer) => { conformance.check(method, path, answer); };
    }
  }
  conformance: Conformance | null = null;

  get pid(): number { return this.child!.pid!; }
  /** How the process that was started last ends. */
  get ended(): Promise<Exit> { return this.exited; }
  get hasEnded(): boolean { return this.child === null || this.child.exitCode !== null || this.child.signalCode !== null; }

  /** Services whose process died since the last start and was started again, as the supervisor tells it. */
  get deaths(): string[] { return [...this.output.slice(this.launchedAt).matchAll(/\b([a-z-]+) \d ended \((\w+)\): again/g)].map(([, service, how]) => `${service} ${how}`); }

  get admin(): Client {
    this.adminClient ??= new Client(this.http, readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim());
    return this.adminClient;
  }
  /** Without a token, or with any. */
  as(token: string | null): Client { return new Client(this.http, token); }

  /** As they would be scraped: of every process. */
  async metrics(): Promise<string> {
    const { hostname, port } = new URL(this.url);
    const ports = this.distribution === null ? [Number(port)] : SERVICES.map(service => Number(port) + service);
    const pages = await Promise.all(ports.map(async at => (await fetch(`http://${hostname}:${at}/metrics`)).text()));
    return pages.join('\n');
  }

  signal(signal: NodeJS.Signals): void { this.child!.kill(signal); }

  /** Everything at once: where there are several processes, none has the time to notice that another is gone. */
  async kill9(): Promise<Exit> {
    this.child!.kill('SIGKILL');
    if (this.distribution !== null) for (const { pid } of processesOf(this.dataDir)) { try { process.kill(pid, 'SIGKILL'); } catch { /* gone */ } }
    const exit = await this.exited;
    this.http.renew();
    return exit;
  }

  /** SIGTERM; resolves when it has ended. */
  async terminate(): Promise<Exit> {
    this.child!.kill('SIGTERM');
    const exit = await this.exited;
    this.http.renew();
    return exit;
  }

  /** Ends it in order if it still runs, and starts it on the same data and port. @param env for this start alone */
  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    if (!this.hasEnded) await this.terminate();
    else await this.exited;
    this.http.renew();
    await this.launch(env);
    await this.ready();
  }

  /** Ends everything and removes every file. */
  async stop(): Promise<void> {
    this.http.close();
    if (!this.hasEnded) {
      this.child!.kill('SIGTERM');
      const late = setTimeout(() => this.child!.kill('SIGKILL'), STOP_MS_MAX);
      await this.exited;
      clearTimeout(late);
    }
    await until(`nothing works with ${this.dataDir} any more`, () => processesOf(this.dataDir).length === 0, STOP_MS_MAX).catch(() => {
      for (const { pid } of processesOf(this.dataDir)) { try { process.kill(pid, 'SIGKILL'); } catch { /* gone */ } }
    });
    await this.distribution?.stop();
    const elsewhere = join(this.dataDir, 'postgres.path');
    if (existsSync(elsewhere)) rmSync(readFileSync(elsewhere, 'utf8').trim(), { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  /** A connection with an own empty root. */
  async connection(name = `files-${++this.names}`): Promise<ConnectionRoot> {
    const root = join(this.folder, 'roots', name);
    mkdirSync(root, { recursive: true });
    await this.admin.must(201, 'PUT', `/v1/connections/${name}`, { body: { adapter: 'os', config: { root } } });
    return { name, root };
  }

  /** A connection to a PostgreSQL database of a test, its password in a file. */
  async database(name: string, { host, port, user, password }: { readonly host: string; readonly port: number; readonly user: string; readonly password: string }, labels: Readonly<Record<string, string>> = {}): Promise<Body> {
    const file = join(this.folder, `${name}.password`);
    writeFileSync(file, `${password}\n`, { mode: 0o644 });
    const config = { url: `postgres://${user}@socket/${name}?host=${encodeURIComponent(host)}&port=${port}` };
    return this.admin.must(201, 'PUT', `/v1/connections/${name}`, { body: { adapter: 'sql', config, secretRefs: { password: `file:${file}` }, labels } });
  }

  /** An agent with a role of its own, and unless told otherwise a connection of its own and every capability. */
  async agent(options: AgentOptions = {}): Promise<AgentClient> {
    const connection = options.connection ?? await this.connection();
    const role = `role-${++this.names}`;
    await this.admin.must(201, 'PUT', `/v1/roles/${role}`, { body: { capabilities: options.capabilities ?? ['*'], connections: options.connections ?? [connection.name] } });
    const { id, token } = await this.admin.must(201, 'POST', '/v1/agents', { body: { name: options.name ?? role, owner: 'tests', roles: [role] } });
    return new AgentClient(this.http, token, id, role, connection);
  }
}

/** Waiting longer does not help. */
class Gone extends Error {}

/** A stack for the tests of one file, or of one `describe`. */
export function useStack(options: StackOptions = {}): { readonly stack: Stack } {
  let stack: Stack | null = null;
  beforeAll(async () => { stack = await Stack.start(options); }, START_MS_MAX);
  afterAll(async () => { await stack?.stop(); });
  return { get stack() { if (stack === null) throw new Error('the stack is not started'); return stack; } };
}
