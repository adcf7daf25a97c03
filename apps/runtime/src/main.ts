import './v8-flags';
import { messageOf, setCrashHook, type CrashPoint } from '@aifirst/kernel';
import { readConfig } from './config';
import { onShutdown } from './lifecycle';
import { startRuntime, type Runtime } from './runtime';

/** `AIFIRST_CRASH_AT=<crash point>[:<nth pass>]` kills this process there: how the tests prove that nothing depends on when. */
function armCrashPoint(at: string | undefined): void {
  if (at === undefined || at === '') return;
  const [name, nth = '1'] = at.split(':') as [CrashPoint, string?];
  let left = Number(nth);
  setCrashHook(passed => { if (passed === name && --left === 0) process.kill(process.pid, 'SIGKILL'); });
}

async function main(): Promise<void> {
  let runtime: Runtime | undefined;
  let starting: Promise<Runtime> | undefined;
  const shutdown = onShutdown(async () => { runtime ??= await starting?.catch(() => undefined); await runtime?.stop(); });
  try {
    const config = readConfig(process.env);
    armCrashPoint(process.env['AIFIRST_CRASH_AT']);
    starting = startRuntime(config, reason => shutdown.begin(reason, 1));
    runtime = await starting;
    console.log(`AI-First Runtime is ready on ${runtime.url}, data in ${config.dataDir}`);
  } catch (error) {
    console.error(`can't start: ${messageOf(error)}`);
    if (process.env['LOG_LEVEL'] === 'debug') console.error(error);
    shutdown.begin('the start failed', 1);
  }
}

void main();
