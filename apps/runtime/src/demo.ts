import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperationalError } from '@aifirst/kernel';

/**
 * What a first start makes so that there is something to try: the connection `workspace`, and an agent `demo` that may use
 * `fs.*` there and nothing else. Made through the API like everybody's; once `demo.token` is there it is never made again.
 */
export async function ensureDemo(url: string, adminToken: string, dataDir: string): Promise<void> {
  const tokenFile = join(dataDir, 'demo.token');
  if (existsSync(tokenFile)) return;
  const call = async <T>(method: string, path: string, body: unknown): Promise<T> => {
    const response = await fetch(`${url}/v1${path}`, { method, headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!response.ok) throw new OperationalError('DEMO_NOT_MADE', `${method} ${path} answered ${response.status}: ${await response.text()}; DEMO=0 leaves the demonstration out`);
    return await response.json() as T;
  };
  const root = join(dataDir, 'workspace');
  await mkdir(root, { recursive: true, mode: 0o755 });
  await call('PUT', '/connections/workspace', { adapter: 'os', config: { root } });
  await call('PUT', '/roles/demo', { capabilities: ['fs.*'], connections: ['workspace'] });
  const { items } = await call<{ items: { id: string; name: string }[] }>('GET', '/agents?limit=200', undefined);
  // Why: an earlier start may have been killed between the agent and its token.
  const known = items.find(agent => agent.name === 'demo');
  const { token } = known === undefined
    ? await call<{ token: string }>('POST', '/agents', { name: 'demo', owner: 'demo', roles: ['demo'] })
    : await call<{ token: string }>('POST', `/agents/${known.id}/tokens`, {});
  const partial = `${tokenFile}.partial`;
  await writeFile(partial, `${token}\n`, { mode: 0o600 });
  await chmod(partial, 0o600);
  await rename(partial, tokenFile);
}
