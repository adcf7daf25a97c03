import type { Connection } from '@aifirst/contracts';
import type { ClientConfig } from 'pg';

/** Where a connection leads. Holds no secret. */
export interface Target {
  readonly config: Pick<ClientConfig, 'host' | 'port' | 'user' | 'database' | 'ssl'>;
  /** A role of the operator's own for agents' statements; null: one is made. */
  readonly agentRole: string | null;
  readonly isPlainOverNetwork: boolean;
}
export interface TargetProblem { readonly problem: string; readonly pointer: string }

const URL_POINTER = '/config/url';
const KNOWN = new Set(['host', 'port', 'sslmode']);
const wrong = (problem: string, pointer = URL_POINTER): TargetProblem => ({ problem, pointer });

/** Reads `config { url, agentRole? }` and `secretRefs { password? }`. Nothing of the url is quoted in a problem: it may hold a secret. */
export function targetOf({ config, secretRefs }: Pick<Connection, 'config' | 'secretRefs'>): Target | TargetProblem {
  const { url: text, agentRole } = config;
  if (typeof text !== 'string') return wrong('`url` is a text like postgres://user@host:5432/database');
  const url = parsed(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) return wrong('`url` does not read like postgres://user@host:5432/database');
  if (url.password !== '' || url.searchParams.has('password')) return wrong('SECRET_IN_CONFIG: `url` holds a password; name it in `secretRefs.password` (`env:`, `file:`) and leave it out here');
  const unknown = [...url.searchParams.keys()].find(key => !KNOWN.has(key));
  if (unknown !== undefined) return wrong(`\`url\` may have the parameters ${[...KNOWN].map(key => `\`${key}\``).join(', ')} only`);
  const user = decoded(url.username), database = decoded(url.pathname.slice(1));
  if (user === null || user === '' || database === null || database === '') return wrong('`url` names a user and a database');
  const host = url.searchParams.get('host') ?? decoded(url.hostname)?.replace(/^\[(.*)\]$/, '$1') ?? '';
  const port = Number(url.port || url.searchParams.get('port') || 5432);
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) return wrong('`url` names a host (or `?host=` and the folder of a socket) and a port');
  const ssl = tlsOf(url.searchParams.get('sslmode') ?? 'disable');
  if (ssl === undefined) return wrong('`sslmode` is `disable`, `require` or `verify-full`');
  if (agentRole !== undefined && (typeof agentRole !== 'string' || agentRole === '' || Buffer.byteLength(agentRole) > 63)) return wrong('`agentRole` is the name of a role', '/config/agentRole');
  const other = Object.keys(secretRefs).find(name => name !== 'password');
  if (other !== undefined) return wrong('the only secret of a `sql` connection is `password`', '/secretRefs');
  const isLocal = host.startsWith('/') || host === 'localhost' || /^127\./.test(host) || host === '::1';
  return { config: { host, port, user, database, ssl }, agentRole: agentRole ?? null, isPlainOverNetwork: ssl === false && !isLocal };
}

/** The folder of a socket may stand percent-encoded as the host, as libpq takes it. */
function parsed(text: string): URL | null {
  try { return new URL(text.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=\/)/, '$1socket')); } catch { return null; }
}

function decoded(text: string): string | null {
  try { return decodeURIComponent(text); } catch { return null; }
}

function tlsOf(mode: string): ClientConfig['ssl'] | undefined {
  switch (mode) {
    case 'disable': return false;
    case 'require': return { rejectUnauthorized: false };
    case 'verify-full': return { rejectUnauthorized: true };
    default: return undefined;
  }
}
