import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LAUNCHER = join(__dirname, '../../../../tools/kafka/kafka.mjs');
/** Below the ports that systems give to outgoing connections, so that one stays free between a stop and the next start. */
const FIRST_PORT = 12_000;
const PORTS = 20_000;

export interface KafkaBrokerOptions {
  /** Default 256: a test's broker holds little. */
  readonly heapMb?: number;
  /** How many listeners stand behind a proxy (`proxied`). Default 0. */
  readonly proxied?: number;
}

/** A broker of its own on a real port, with its data in a temporary folder. Ends with this process, however that ends. */
export interface KafkaBroker {
  readonly brokers: string[];
  readonly port: number;
  /** Of the broker itself, anew after each restart. */
  readonly pid: number;
  /** Each: the broker listens at `listen` and tells clients that come this way to come by `advertised`. */
  readonly proxied: readonly { readonly listen: number; readonly advertised: number }[];
  stop(): Promise<void>;
  /** Ends it as a power cut does for a process; `restart` brings it back with what it had. */
  kill9(): Promise<void>;
  restart(): Promise<void>;
  /** Freezes it: connections stay, nothing is answered. */
  pauseSigstop(): void;
  resumeSigcont(): void;
}

export async function startKafka({ heapMb = 256, proxied = 0 }: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-kafka-'));
  const port = await freePort();
  const pairs: { listen: number; advertised: number }[] = [];
  for (let i = 0; i < proxied; i++) pairs.push({ listen: await freePort(), advertised: await freePort() });
  let running: { launcher: ChildProcess; pid: number } | null = null;
  const start = async (): Promise<void> => {
    running = await launched({
      KAFKA_PORT: String(port), KAFKA_DATA_DIR: folder, KAFKA_HEAP_MB: String(heapMb), KAFKA_VIA: 'jars', KAFKA_PROXIED: pairs.map(({ listen, advertised }) => `${listen}:${advertised}`).join(','),
    });
  };
  const ended = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (running === null) return;
    const { launcher, pid } = running;
    running = null;
    const exited = new Promise<void>(resolve => { if (launcher.exitCode !== null) resolve(); else launcher.once('exit', () => { resolve(); }); });
    if (signal === 'SIGKILL') process.kill(pid, 'SIGKILL');
    else launcher.kill('SIGTERM');
    await exited;
  };
  await start();
  return {
    brokers: [`127.0.0.1:${port}`], port, proxied: pairs,
    get pid() { return running?.pid ?? 0; },
    stop: async () => { await ended('SIGKILL'); rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }); },
    kill9: () => ended('SIGKILL'),
    restart: async () => { await ended('SIGTERM'); await start(); },
    pauseSigstop: () => { if (running !== null) process.kill(running.pid, 'SIGSTOP'); },
    resumeSigcont: () => { if (running !== null) process.kill(running.pid, 'SIGCONT'); },
  };
}

function launched(env: NodeJS.ProcessEnv): Promise<{ launcher: ChildProcess; pid: number }> {
  const launcher = spawn(process.execPath, [LAUNCHER], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let text = '';
    launcher.stderr!.on('data', chunk => { text += chunk; });
    launcher.stdout!.on('data', chunk => {
      text += chunk;
      const pid = /\bpid (\d+)/.exec(text)?.[1];
      if (pid !== undefined) resolve({ launcher, pid: Number(pid) });
    });
    launcher.once('exit', () => { reject(new Error(`no broker: ${text.trim()}`)); });
  });
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const isFree = await new Promise<boolean>(resolve => {
      const server = createServer().once('error', () => { resolve(false); });
      server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true); }); });
    });
    if (isFree) return port;
  }
}
