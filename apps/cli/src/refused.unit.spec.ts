import { Refused } from './refused';

const refused = (status: number, body: unknown, headers: Record<string, string> = {}): Refused => Refused.of('http://server', new Response(null, { status, headers }), Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const text = (one: Refused, placeOf?: (pointer: string) => string | null): string => one.lines(placeOf).map(({ plain }) => plain).join('\n');

describe('a refusal', () => {
  it('shows code, detail, place and mend, and every further problem once', () => {
    const errors = [{ code: 'UNKNOWN_CAPABILITY', pointer: '/steps/0/capability', detail: 'there is none' }, { code: 'INVALID_INPUT', pointer: '/steps/1/input/path', detail: 'must be string' }];
    expect(text(refused(422, { ...errors[0], errors }), pointer => (pointer === '/steps/0/capability' ? 'intent.yaml:4' : null))).toBe(`aifirst: UNKNOWN_CAPABILITY (422): there is none
  at /steps/0/capability (intent.yaml:4)
  INVALID_INPUT: must be string
    at /steps/1/input/path
  mend: \`aifirst get capabilities\` shows what there is`);
  });
  it('shows the status of a workflow, when to try again, and under which id the log has it', () => {
    expect(text(refused(409, { code: 'WRONG_STATE', detail: 'no', workflowStatus: 'completed' }))).toContain('the workflow is completed');
    expect(text(refused(429, { code: 'RATE_LIMITED', detail: 'slower' }, { 'retry-after': '7' }))).toContain('try again in 7 s');
    expect(text(refused(500, { code: 'INTERNAL', detail: 'x', id: 'id-1' }))).toContain('id-1');
  });
  it('shows who builds on what was to be taken back, and what to do then', () => {
    const dependents = [{ workflow: 'w2', step: 'b', agent: 'clerk\x1b', kind: 'lock', resource: 'file://docs/a', at: '2026-01-01', blocks: true }, { workflow: 'w3', step: 'c', agent: 'clerk', kind: 'output', resource: 'x', at: '2026-01-02', blocks: false }];
    const shown = text(refused(409, { code: 'IN_USE', detail: 'others build on it', dependents }));
    expect(shown).toContain('  w2        b     clerk\\x1b  lock    file://docs/a  2026-01-01  in the way\n  w3        c     clerk      output  x              2026-01-02  not in the way\n  mend: take those in the way back first');
    expect(text(refused(409, { code: 'PLAN_STALE', detail: 'preview it anew', workflow: 'w1', moved: [{ what: 'targets' }] }))).toContain('mend: look again with `aifirst rollback <id> --preview`');
    expect(text(refused(409, { code: 'PLAN_STALE', detail: 'make the plan anew', planId: 'p1' }))).toContain('mend: policy, target or connection have changed since');
    expect(text(refused(409, { code: 'IN_USE', detail: 'a workflow needs it', dependents: 'none' }))).toBe('aifirst: IN_USE (409): a workflow needs it');
  });
  it('drives no terminal', () => { expect(text(refused(422, { code: 'X\x1b[2J', detail: '\x9b31m', pointer: '/a\x07' }))).not.toMatch(/[\x07\x1b\x9b]/); });
  it.each([['<html>bad gateway</html>'], ['[]'], ['{}'], ['']])('of something else than a server of ours is told as such: %s', body => { expect(text(refused(502, body))).toContain('not as a server of ours does'); });
  it('ends with 1; with 3 where the server is not there for now', () => {
    expect([400, 401, 409, 422, 429, 500, 501].map(status => refused(status, {}).exitCode)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect([502, 503, 504].map(status => refused(status, {}).exitCode)).toEqual([3, 3, 3]);
  });
});
