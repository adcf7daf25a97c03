import './v8-flags';
import { messageOf } from '@aifirst/kernel';
import { armCrashPoint } from './arm-crash-point';
import { ConfigInvalid, readServiceConfig, SERVICES } from './config';
import { onShutdown } from './lifecycle';
import { startService, type RunningService } from './service-process';
import { BAD_SETTINGS, BUILT } from './services';
import type { ServiceName } from '@aifirst/contracts';

async function main(): Promise<void> {
  const name = process.argv[2] as ServiceName | undefined;
  if (name === undefined || !BUILT.includes(name)) {
    const why = name === undefined ? 'name the service' : SERVICES.includes(name) ? `service \`${name}\` is not built yet` : `there is no service \`${name}\``;
    console.error(`${why}: npm run service -- <${BUILT.join('|')}>`);
    process.exit(BAD_SETTINGS);
  }
  let service: RunningService | undefined;
  let starting: Promise<RunningService> | undefined;
  const shutdown = onShutdown(async () => { service ??= await starting?.catch(() => undefined); await service?.stop(); });
  try {
    const config = readServiceConfig(process.env, name);
    armCrashPoint(process.env['AIFIRST_CRASH_AT']);
    starting = startService(config, reason => shutdown.begin(reason, 1));
    service = await starting;
    console.log(`${name} listens on ${service.url}`);
  } catch (error) {
    console.error(`${name} can't start: ${messageOf(error)}`);
    if (process.env['LOG_LEVEL'] === 'debug') console.error(error);
    shutdown.begin('the start failed', error instanceof ConfigInvalid ? BAD_SETTINGS : 1);
  }
}

void main();
