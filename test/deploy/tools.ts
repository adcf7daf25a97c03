import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..');
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const REQUIRED_BY = { prometheus: 'AIFIRST_REQUIRE_PROMETHEUS', promtool: 'AIFIRST_REQUIRE_PROMETHEUS', docker: 'AIFIRST_REQUIRE_DOCKER' } as const;
const OTHERWISE = 'AIFIRST_REQUIRE_DEPLOY_TOOLS';

/**
 * Whether a tool is installed. Where it is not, one line says what is left out, or it is a failure if the environment requires it:
 * AIFIRST_REQUIRE_PROMETHEUS=1 for Prometheus, AIFIRST_REQUIRE_DOCKER=1 for Docker, AIFIRST_REQUIRE_DEPLOY_TOOLS=1 for all others.
 * @param from what to install
 */
export function have(command: string, versionArgument: string, from: string, leavesOut: string): boolean {
  if (spawnSync(command, [versionArgument], { stdio: 'ignore' }).status === 0) return true;
  const variable = (REQUIRED_BY as Record<string, string>)[command] ?? OTHERWISE;
  const line = `\`${command}\` is not here (${from}), so not run: ${leavesOut}`;
  if (process.env[variable] === '1') throw new Error(`${line}; ${variable}=1 requires it`);
  process.stderr.write(`${line}\n`);
  return false;
}

export interface Ran { readonly status: number | null; readonly stdout: string; readonly stderr: string }
export function run(command: string, args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly input?: string } = {}): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** A Go program of this folder, compiled; its modules come from wherever Go is set up to get them. */
export function goProgram(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-go-'));
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }); });
  const to = join(folder, name);
  execFileSync('go', ['build', '-o', to, '.'], { cwd: join(__dirname, name), stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, GOFLAGS: '-mod=readonly' } });
  if (!existsSync(to)) throw new Error(`go made no \`${name}\``);
  return to;
}

export interface Query { readonly expr: string; readonly legendFormat?: string; readonly format?: string }
export interface Panel {
  readonly id: number; readonly type: string; readonly title: string; readonly description?: string; readonly targets?: readonly Query[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}
export interface Dashboard { readonly uid: string; readonly title: string; readonly file: string; readonly panels: readonly Panel[] }

/** What deploy/grafana/dashboards.mjs makes now: file, and what is to be in it. */
export function generatedDashboards(): readonly { readonly file: string; readonly text: string }[] {
  const script = "import { DASHBOARDS, fileOf, textOf } from './deploy/grafana/dashboards.mjs'; console.log(JSON.stringify(DASHBOARDS.map(one => ({ file: fileOf(one), text: textOf(one) }))));";
  return JSON.parse(run(process.execPath, ['--input-type=module', '-e', script]).stdout) as { file: string; text: string }[];
}
export const dashboards = (): readonly Dashboard[] => generatedDashboards().map(({ file, text }) => ({ file, ...JSON.parse(text) as Omit<Dashboard, 'file'> }));

const DISTRIBUTED = 'Only where every service is its own process:';
/** Left empty by one process with everything in it; says so to who looks at it. */
export const isDistributed = ({ description }: Panel): boolean => description?.startsWith(DISTRIBUTED) === true;

export interface Alert { readonly name: string; readonly expr: string; readonly severity: string; readonly runbook: string }
/** From deploy/prometheus/alerts.yml, which has each of these on a line of its own. */
export function alerts(): readonly Alert[] {
  return read('deploy/prometheus/alerts.yml').split(/^ +- alert: /m).slice(1).map(text => {
    const line = (pattern: RegExp): string => pattern.exec(text)?.[1]?.trim() ?? '';
    return { name: line(/^(\w+)/), expr: line(/^ +expr: (.+)$/m), severity: line(/severity: (\w+)/), runbook: line(/^ +runbook_url: (.+)$/m) };
  });
}

/** Names of metrics in an expression; of a histogram the name without `_bucket`, `_sum`, `_count`. */
export const metricsIn = (expr: string): readonly string[] =>
  [...new Set([...expr.replace(/"[^"]*"/g, '').matchAll(/\b(?:aifirst|process|nodejs|traces)_[a-z_]+\b|\bup\b/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')))];
