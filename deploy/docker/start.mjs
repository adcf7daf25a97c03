// Becomes the service that is named: one process, so that signals reach it. Secrets come from files, as is usual in containers:
// where `<NAME>_FILE` is set, `<NAME>` is what that file holds. The key files are no such case, their names are settings of ours.
import { readFileSync } from 'node:fs';

const SECRETS = /^([A-Z_]+_)?DATABASE_URL$|^ADMIN_TOKEN$|^KAFKA_SASL_PASSWORD$/;
/** As for every other bad setting: trying again does not help. */
const BAD_SETTINGS = 2;

for (const [variable, path] of Object.entries(process.env)) {
  const name = variable.replace(/_FILE$/, '');
  if (name === variable || !SECRETS.test(name)) continue;
  try {
    if (process.env[name]) throw new Error(`${name} is set too: unset one of them`);
    process.env[name] = readFileSync(path, 'utf8').trim();
    delete process.env[variable];
  } catch (error) {
    console.error(`${variable}: ${error.message}`);
    process.exit(BAD_SETTINGS);
  }
}
await import('../../apps/runtime/dist/service.js');
