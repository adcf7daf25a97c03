// Makes what is missing of the secrets of docker-compose.yml, each from random bytes, and leaves alone what is there. Runs before
// everything else, at every start. Each folder is a volume, seen only by who needs it:
//   keys/      the three keys and how to reach the database: every service (mode 600: ours alone)
//   postgres/  the database's password for its first start: PostgreSQL
//   grafana/   the password of Grafana's user `admin`: Grafana
// The last two are read by other users than ours in containers that see nothing else of this: mode 644.
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2] ?? '/run/aifirst';
const KEY_BYTES = 32;

/** Whole or not at all, never over what is there. */
function ensure(path, mode, content) {
  const to = join(root, path);
  if (existsSync(to)) return;
  const partial = `${to}.partial`;
  rmSync(partial, { force: true });
  writeFileSync(partial, content(), { mode, flush: true });
  linkSync(partial, to);
  rmSync(partial);
  console.log(`made ${path}`);
}

const password = () => randomBytes(24).toString('base64url');
for (const key of ['master', 'audit', 'service']) ensure(`keys/${key}.key`, 0o600, () => randomBytes(KEY_BYTES).toString('base64'));
ensure('postgres/password', 0o644, password);
ensure('keys/database.url', 0o600, () => `postgres://aifirst:${readFileSync(join(root, 'postgres/password'), 'utf8')}@postgres:5432/aifirst`);
ensure('grafana/password', 0o644, password);
