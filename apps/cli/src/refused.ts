import { isObject, type JsonObject } from '@aifirst/kernel';
import { EXIT, type ExitCode } from './exit';
import { bold, dim, line, red, type Shown } from './screen/shown';
import { shownDependents } from './workflows/dependents';

export interface OneProblem { readonly code: string; readonly detail: string; readonly pointer?: string }
export interface Problem extends Partial<OneProblem> { readonly errors: readonly OneProblem[]; readonly workflowStatus?: string; readonly id?: string; /** Workflows that build on what was to be taken back. */ readonly dependents: readonly JsonObject[]; /** It is about one, not about a plan. */ readonly isOfWorkflow: boolean }

/** A server of ours that is busy or starting, or something before it that can't get through. */
const MAY_PASS = [429, 502, 503, 504];

/** What to do about it, where the detail does not say so itself. */
const MENDS: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'give a valid token with --token-file or AIFIRST_TOKEN',
  FORBIDDEN: 'take another token with --token-file or AIFIRST_TOKEN: the administrator\'s is in DATA_DIR/admin.token',
  AGENT_SUSPENDED: 'an administrator can resume the agent',
  IDEMPOTENCY_CONFLICT: 'this key belongs to another intent: take another --key, or none for a new one',
  PLAN_STALE: 'policy, target or connection have changed since: make a new plan with `aifirst plan`, look at it, apply that',
  UNKNOWN_CAPABILITY: '`aifirst get capabilities` shows what there is',
  UNKNOWN_CONNECTION: '`aifirst get connections` shows what there is',
  WRONG_STATE: '`aifirst get workflow <id>` shows what can be done with it now',
};

/** What to do about dependents, which a code does not tell. */
const DEPENDED_ON = 'take those in the way back first, the latest first, with `aifirst rollback <workflow>`; or look at `aifirst rollback <id> --preview` and take it back regardless with its `--digest`';
const SHOWN_OTHERWISE = 'look again with `aifirst rollback <id> --preview`: what it shows now has another digest';

/** A server of ours that does not want to, or can't: RFC 9457, shown with code, place and mend. */
export class Refused extends Error {
  readonly exitCode: ExitCode;
  private constructor(readonly url: string, readonly status: number, readonly problem: Problem | null, readonly retryAfterS: number | null) {
    super(`${url} answered ${status}`);
    this.exitCode = MAY_PASS.includes(status) && status !== 429 ? EXIT.unreachable : EXIT.refused;
  }

  static of(url: string, response: Response, bytes: Uint8Array): Refused {
    const retryAfter = Number(response.headers.get('retry-after') ?? NaN);
    return new Refused(url, response.status, problemIn(bytes), Number.isFinite(retryAfter) ? retryAfter : null);
  }

  get mayPass(): boolean { return MAY_PASS.includes(this.status); }

  /** @param placeOf where in a file a JSON Pointer leads to, for people */
  lines(placeOf: (pointer: string) => string | null = () => null): readonly Shown[] {
    const { problem, status, url } = this;
    if (problem === null) return [line`${red('aifirst:')} ${url} answered ${status}, and not as a server of ours does: is something between us?`];
    const place = (pointer: string | undefined): readonly Shown[] => (pointer === undefined ? [] : [line`  at ${bold(pointer)}${placeText(placeOf(pointer))}`]);
    const { code = 'no code', detail = 'it does not say why', pointer } = problem;
    const others = problem.errors.filter((one, index) => index > 0 || one.code !== code || one.detail !== detail);
    const mends = code === 'PLAN_STALE' && problem.isOfWorkflow ? [SHOWN_OTHERWISE] : problem.dependents.length > 0 ? [DEPENDED_ON] : [...new Set([code, ...others.map(one => one.code)])].flatMap(one => (Object.hasOwn(MENDS, one) ? [MENDS[one]!] : []));
    return [
      line`${red('aifirst:')} ${bold(code)} (${status}): ${detail}`, ...place(pointer),
      ...others.flatMap(one => [line`  ${bold(one.code)}: ${one.detail}`, ...place(one.pointer).map(shown => line`  ${shown}`)]),
      ...(problem.workflowStatus === undefined ? [] : [line`  the workflow is ${bold(problem.workflowStatus)}`]),
      ...shownDependents(problem.dependents).map(shown => line`  ${shown}`),
      ...(this.retryAfterS === null ? [] : [line`  try again in ${this.retryAfterS} s`]),
      ...(problem.id === undefined ? [] : [line`  the server's log has it under ${problem.id}`]),
      ...mends.map(mend => line`  ${dim('mend:')} ${mend}`),
    ];
  }
}

const placeText = (place: string | null): Shown => (place === null ? line`` : line` (${place})`);

/** @returns null: whatever stands between us and the server may answer in another form */
export function problemIn(bytes: Uint8Array): Problem | null {
  let document: unknown;
  try { document = JSON.parse(Buffer.from(bytes).toString()); } catch { return null; }
  if (!isObject(document)) return null;
  const text = (name: string): string | undefined => { const value = document[name]; return typeof value === 'string' ? value : undefined; };
  const some = Object.fromEntries(['code', 'detail', 'pointer', 'workflowStatus', 'id'].flatMap(name => { const value = text(name); return value === undefined ? [] : [[name, value]]; }));
  if (some['code'] === undefined && some['detail'] === undefined) return null;
  const errors = (Array.isArray(document['errors']) ? document['errors'] : []).filter(isObject).map(one => ({
    code: String(one['code']), detail: String(one['detail']), ...(typeof one['pointer'] === 'string' ? { pointer: one['pointer'] } : {}),
  }));
  return { ...some, errors, dependents: (Array.isArray(document['dependents']) ? document['dependents'] : []).filter(isObject), isOfWorkflow: text('workflow') !== undefined };
}
