import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@aifirst/contracts';
import { messageOf } from '@aifirst/kernel';
import { ConfigInvalid, PORT_MAX, portOf, readServiceConfig, variableOf, type ServiceConfig } from './config';
import { KEY_BYTES, urlOf } from './ground';
import { onShutdown } from './lifecycle';
import { ensureAdminToken, ensureSecretFile } from './secret-files';
import { BAD_SETTINGS, BUILT } from './services';

const COPIES_MAX = 9;
/** Ports of further copies: of the second 10 above those of the first, and so on. */
const PORTS_PER_COPY = 10;
const AGAIN_MS = { first: 200, most: 5_000 };
/** A process that ran so long did not fail at its start. */
const STEADY_MS = 10_000;
const STOP_MS_MAX = 9_000;
const READY_POLL_MS = 100;
/** Of the first process of a copy alone: with it the next would die as well, again and again. */
const FIRST_ALONE = 'AIFIRST_CRASH_AT';

interface Copy { readonly service: ServiceName; readonly copy: number; readonly port: number }

/** Keeps a process of each service alive until it is ended itself. */
class Supervisor {
  readonly #children = new Map<string, ChildProcess>();
  readonly #begun = new Set<string>();
  #stopping = false;

  constructor(private readonly env: NodeJS.ProcessEnv, private readonly onHopeless: (reason: string) => void) {}

  keep(copy: Copy, againMs = AGAIN_MS.first): void {
    if (this.#stopping) return;
    const name = `${copy.service} ${copy.copy + 1}`;
    const startedAt = Date.now();
    const env: NodeJS.ProcessEnv = { ...this.env, PORT: `${copy.port}` };
    if (this.#begun.has(name)) delete env[FIRST_ALONE];
    this.#begun.add(name);
    const child = spawn(process.execPath, [...process.execArgv, join(__dirname, 'service.js'), copy.service], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#children.set(name, child);
    child.on('error', error => { console.error(`${name}: ${messageOf(error)}`); });
    child.once('exit', (code, signal) => {
      this.#children.delete(name);
      if (this.#stopping) return;
      if (code === BAD_SETTINGS) { this.onHopeless(`${name} can't start`); return; }
      const waitMs = Date.now() - startedAt > STEADY_MS ? AGAIN_MS.first : againMs;
      console.error(`${name} ended (${signal ?? code}): again in ${waitMs} ms`);
      setTimeout(() => { this.keep(copy, Math.min(2 * waitMs, AGAIN_MS.most)); }, waitMs);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const ends = [...this.#children.values()].map(child => new Promise<void>(resolve => {
      if (child.exitCode !== null || child.signalCode !== null) { resolve(); return; }
      child.once('exit', () => { resolve(); });
      child.kill('SIGTERM');
      setTimeout(() => { child.kill('SIGKILL'); }, STOP_MS_MAX).unref();
    }));
    await Promise.all(ends);
  }
}

/** COPIES=2, or COPIES=1,orchestrator=2,adapter-os=4. */
function copiesOf(given: string | undefined): (service: ServiceName) => number {
  const copies = new Map<string, number>();
  for (const part of (given ?? '').split(',').map(text => text.trim()).filter(text => text !== '')) {
    const [, service = '', number = ''] = /^(?:([a-z-]+)=)?(\d)$/.exec(part) ?? [];
    const known = service === '' || BUILT.includes(service as ServiceName);
    if (!known || !(Number(number) >= 1 && Number(number) <= COPIES_MAX)) throw new ConfigInvalid('COPIES', `COPIES is ${JSON.stringify(given)}: it must be a number from 1 to ${COPIES_MAX}, or a list such as 1,orchestrator=2`);
    copies.set(service, Number(number));
  }
  return service => copies.get(service) ?? copies.get('') ?? 1;
}

async function answers(url: string): Promise<boolean> {
  try { return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok; } catch { return false; }
}

async function main(): Promise<void> {
  let supervisor: Supervisor | undefined;
  const shutdown = onShutdown(async () => { await supervisor?.stop(); });
  try {
    const configs = new Map<ServiceName, ServiceConfig>(BUILT.map(service => [service, readServiceConfig(process.env, service)]));
    const { dataDir, host, port, adminToken, masterKeyFile, auditKeyFile, serviceKeyFile } = configs.get('gateway')!;
    const copies = copiesOf(process.env['COPIES']);
    const all = BUILT.flatMap(service => Array.from({ length: copies(service) }, (_, copy) => ({ service, copy, port: port + portOf(service) - portOf('gateway') + copy * PORTS_PER_COPY })));
    const last = Math.max(...all.map(copy => copy.port));
    if (port === 0 || last > PORT_MAX) throw new ConfigInvalid('PORT', `PORT is "${port}": it must be from 1 to ${PORT_MAX - last + port}, because the ${all.length} processes listen on it and up to ${last - port} above it`);
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
    for (const path of [masterKeyFile, auditKeyFile, serviceKeyFile]) ensureSecretFile(path, KEY_BYTES, () => { console.error(`made ${path}: back it up`); });
    ensureAdminToken(dataDir, adminToken);
    const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    const urls = Object.fromEntries(BUILT.map(service => [variableOf(service, 'URLS'), all.filter(copy => copy.service === service).map(copy => urlOf(reached, copy.port)).join(',')]));
    supervisor = new Supervisor({ ...urls, ...process.env }, reason => { shutdown.begin(reason, BAD_SETTINGS); });
    for (const copy of all) supervisor.keep(copy);
    const places = all.map(copy => urlOf(reached, copy.port));
    while (!(await Promise.all(places.map(answers))).every(Boolean)) await new Promise(resolve => setTimeout(resolve, READY_POLL_MS));
    console.log(`AI-First Runtime is ready on ${urlOf(host, port)}, ${all.length} processes, data in ${dataDir}`);
  } catch (error) {
    console.error(`can't start: ${messageOf(error)}`);
    shutdown.begin('the start failed', error instanceof ConfigInvalid ? BAD_SETTINGS : 1);
  }
}

void main();
