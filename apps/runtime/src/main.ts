import './v8-flags';
import { messageOf } from '@aifirst/kernel';
import { armCrashPoint } from './arm-crash-point';
import { readConfig } from './config';
import { onShutdown } from './lifecycle';
import { startRuntime, type Runtime } from './runtime';

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
