import { Refusal, type Clock, type JsonObject } from '@aifirst/kernel';
import type { ToolAnswer } from './answers';
import { GovernedTools, UnknownTool, type ToolCall } from './governed-tools';
import type { McpCaller } from './governance';
import { FakeGovernance, WORKFLOW, aCaller, aCapability, aWorkflow } from './testing';

const clock: Clock = { now: () => Date.now(), after: (ms, callback) => { const timer = setTimeout(callback, ms); return () => clearTimeout(timer); } };
const ids = { uuid: () => '01999999-0000-7000-8000-0000000000ff', chance: () => 0 };
const object: JsonObject = { type: 'object', properties: { goal: { type: 'string' }, steps: { type: 'array' } } };

describe('a call of a tool', () => {
  let governance: FakeGovernance;
  let tools: GovernedTools;
  beforeEach(() => { governance = new FakeGovernance(); tools = new GovernedTools(governance, { intent: object, plan: object, workflow: object, transaction: object }, clock, ids); });
  const call = (name: string, input: JsonObject = {}, over: Partial<ToolCall> = {}, caller: McpCaller = aCaller()): Promise<ToolAnswer> =>
    tools.call(caller, { name, input, meta: {}, client: null, signal: new AbortController().signal, goneIsCancelled: true, ...over });
  const textOf = (answer: ToolAnswer): string => answer.content.map(({ text }) => text).join('\n');

  it('lists what can be reached and what works with several steps', async () => {
    expect((await tools.list(aCaller())).map(({ name }) => name)).toEqual(['fs_read', 'fs_write', 'plan_intent', 'submit_intent', 'get_workflow', 'begin_transaction', 'commit_transaction', 'rollback_transaction']);
  });

  it('lists nothing while it can\'t be told what can be reached, and says so', async () => {
    governance.reachable = async () => { throw new Error('policy does not answer'); };
    await expect(tools.list(aCaller())).rejects.toThrow('UNAVAILABLE: policy does not answer');
  });

  it('is an intent of one step, whose arguments are data', async () => {
    await call('fs_write', { connection: 'docs', path: 'a', content: { $ref: '#/steps/x/output', b: [{ $literal: 1 }], $c: 1 } }, { client: 'a\u202eframework', meta: { 'io.aifirst/timeoutMs': 5 } });
    expect(governance.submitted).toEqual([{ body: {
      goal: 'tool call of fs.write', labels: { via: 'mcp', client: 'aframework' },
      steps: [{ id: 'call', capability: 'fs.write', timeoutMs: 5, input: { connection: 'docs', path: 'a', content: { $literal: { $ref: '#/steps/x/output', b: [{ $literal: 1 }], $c: 1 } } } }],
    } }]);
  });

  it('answers with the output, structured and as text, and names its workflow', async () => {
    expect(await call('fs_write')).toEqual({ content: [{ type: 'text', text: '{"path":"a"}' }], structuredContent: { path: 'a' }, _meta: { 'io.aifirst/workflowId': WORKFLOW } });
  });

  it('says what is wrong with which argument, and what it takes, when it is refused', async () => {
    governance.refusal = new Refusal([{ code: 'INVALID_PATH', detail: 'leads out\nof the root', pointer: '/steps/0/input/path' }, { code: 'UNKNOWN_FIELD', detail: 'there is none', pointer: '/steps/0/input/x' }]);
    const answer = await call('fs_write', { path: '../a' });
    expect(answer).toMatchObject({ isError: true, _meta: { 'io.aifirst/error': { code: 'INVALID_PATH', errors: [{ pointer: '/steps/0/input/path' }, {}] } } });
    expect(answer.structuredContent).toBeUndefined();
    expect(textOf(answer).split('\n')).toEqual([
      'INVALID_PATH: leads out of the root', 'The call was refused and nothing was done.', '- argument `/path`: leads out of the root (INVALID_PATH)', '- argument `/x`: there is none (UNKNOWN_FIELD)',
      'It takes `connection` (required, string), `path` (required, string), `content` (optional, string).',
    ]);
  });

  it('says why it was denied and what is permitted', async () => {
    governance.view = aWorkflow('rejected', { status: 'failed', output: null, error: { code: 'POLICY_DENIED', detail: 'nothing permits it', clean: true } });
    const answer = await call('fs_write');
    expect(textOf(answer)).toContain('POLICY_DENIED: nothing permits it\nNothing was done.\nPermitted now: fs_write on docs; fs_read on docs.\n');
    expect(answer).toMatchObject({ isError: true, _meta: { 'io.aifirst/error': { code: 'POLICY_DENIED', clean: true, status: 'rejected', workflowId: WORKFLOW } } });
  });

  it.each([
    ['rolledBack', { undo: { status: 'done', verified: true, reason: null } }, 'the targets were read again to verify that'],
    ['rolledBack', {}, 'Nothing of it stands.'],
    ['cancelled', {}, 'cancelled before it did anything'],
    ['paused', {}, 'Do not call again'],
    ['rollbackBlocked', {}, 'Not all of it could be undone'],
  ] as const)('says what stands when the workflow is %s', async (status, step, expected) => {
    governance.view = aWorkflow(status, { ...step, error: { code: 'TIMEOUT', detail: 'too late', clean: false } });
    const answer = await call('fs_write');
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toContain(expected);
    expect(textOf(answer)).toContain(WORKFLOW);
  });

  it('names what is left standing', async () => {
    governance.view = aWorkflow('failed', { error: { code: 'X', detail: 'y', clean: true } }, { residue: [{ step: 'call', resource: 'file://docs/a', what: '', why: 'it was kept', action: '' }] });
    expect(textOf(await call('fs_write'))).toContain('Left standing: file://docs/a (it was kept).');
  });

  it('names what is left standing beside what was undone', async () => {
    governance.view = aWorkflow('rolledBack', { error: { code: 'X', detail: 'y', clean: true }, undo: { status: 'done', verified: true, reason: null } }, { residue: [{ step: 'mail', resource: 'api://crm/mail', what: '', why: 'it can not be undone', action: '' }] });
    expect(textOf(await call('fs_write'))).toContain('What could be undone of it was undone, and the targets were read again to verify that. Left standing: api://crm/mail (it can not be undone).');
  });

  it('says how to ask for it when it still runs', async () => {
    governance.view = aWorkflow('running', {}, { statusReason: { code: 'LOCKED', detail: 'waits for `a`', since: '', actions: [] } });
    const answer = await call('fs_write', {}, { meta: { 'io.aifirst/waitMs': 0 } });
    expect(answer).toMatchObject({ isError: true, _meta: { 'io.aifirst/workflowId': WORKFLOW, 'io.aifirst/error': { code: 'STILL_RUNNING', status: 'running' } } });
    expect(textOf(answer)).toContain(`(LOCKED: waits for \`a\`)\nIt has not failed. Do not call again: ask get_workflow with \`{ "workflowId": "${WORKFLOW}" }\``);
  });

  it('does not say whether it was taken in when nobody knows', async () => {
    governance.refusal = new Error('the log is gone');
    expect(textOf(await call('fs_write'))).toContain('call again with the same idempotency key');
  });

  it('does not say that nothing was done when something unexpected happened', async () => {
    governance.refusal = new Refusal({ code: 'INTERNAL', detail: 'the log has it' });
    expect(textOf(await call('fs_write'))).toContain('It is not known whether it was taken in');
  });

  it('says that an output has been erased rather than show what is not one', async () => {
    governance.view = aWorkflow('completed', { output: { path: 'a', content: { sealed: true, class: 'content', erased: true } } });
    expect(await call('fs_write')).toMatchObject({ isError: true, _meta: { 'io.aifirst/error': { code: 'ERASED' } } });
  });

  it('is the same call under the same key', async () => {
    governance.replayed = true;
    expect(await call('fs_write', {}, { meta: { 'io.aifirst/idempotencyKey': 'k' } })).toMatchObject({ _meta: { deduplicated: true, 'io.aifirst/deduplicated': true } });
    expect(governance.submitted).toEqual([expect.objectContaining({ idempotencyKey: 'k' })]);
    expect(governance.submitted[0]).not.toHaveProperty('repeatWithinMs');
  });

  it('is the same call within the window of an agent that has one, unless it only reads or has a key', async () => {
    const caller = aCaller({ repeatWindowMs: 1_000 });
    await call('fs_write', { path: 'a' }, {}, caller);
    await call('fs_write', { path: 'b' }, {}, caller);
    await call('fs_read', { path: 'a' }, {}, caller);
    await call('fs_write', { path: 'a' }, { meta: { 'io.aifirst/idempotencyKey': 'k' } }, caller);
    const [one, other, read, keyed] = governance.submitted;
    expect(one).toMatchObject({ repeatWithinMs: 1_000, idempotencyKey: expect.stringContaining('"path":"a"') });
    expect(other!.idempotencyKey).not.toBe(one!.idempotencyKey);
    expect(Object.keys(read!)).toEqual(['body']);
    expect(keyed).toMatchObject({ idempotencyKey: 'k' });
    expect(keyed).not.toHaveProperty('repeatWithinMs');
  });

  it.each([[{ 'io.aifirst/idempotencyKey': '' }], [{ 'io.aifirst/idempotencyKey': 'ü' }], [{ 'io.aifirst/waitMs': -1 }], [{ 'io.aifirst/waitMs': '5' }]])('is refused with %j', async meta => {
    expect(await call('fs_write', {}, { meta })).toMatchObject({ isError: true, _meta: { 'io.aifirst/error': { code: 'INVALID_FIELD' } } });
    expect(governance.submitted).toEqual([]);
  });

  it('of a tool that was made up is no call', async () => { await expect(call('rm_rf')).rejects.toThrow(UnknownTool); });

  it('goes by the name of the capability too', async () => {
    await call('call_capability', { capability: 'fs.write', arguments: { path: 'a' } });
    expect(governance.submitted[0]!.body).toMatchObject({ steps: [{ capability: 'fs.write', input: { path: 'a' } }] });
    for (const input of [{ capability: 'no.such' }, { capability: 'fs.write', path: 'a' }, { capability: 'fs.write', arguments: [] }, {}] as JsonObject[]) expect(await call('call_capability', input)).toMatchObject({ isError: true });
    expect(governance.submitted).toHaveLength(1);
  });

  describe('whose client has gone', () => {
    const gone = async (over: Partial<ToolCall>, caller?: McpCaller) => {
      const left = new AbortController();
      governance.waits = () => new Promise(() => { left.abort(); });
      await call('fs_write', {}, { signal: left.signal, ...over }, caller);
    };
    it('is cancelled where that is what going means', async () => { await gone({}); expect(governance.cancelled).toEqual([WORKFLOW]); });
    it('goes on where it is not', async () => { await gone({ goneIsCancelled: false }); expect(governance.cancelled).toEqual([]); });
    it('goes on where it has a key to be found by', async () => {
      await gone({ meta: { 'io.aifirst/idempotencyKey': 'k' } });
      await gone({}, aCaller({ repeatWindowMs: 1_000 }));
      expect(governance.cancelled).toEqual([]);
    });
  });

  it('is answered with what is known when the gateway ends', async () => {
    let release: () => void = () => {};
    governance.view = aWorkflow('running');
    governance.waits = () => new Promise(resolve => { release = () => { resolve(governance.view); }; });
    const answering = call('fs_write');
    await new Promise(setImmediate);
    tools.end();
    release();
    expect(textOf(await answering)).toContain('STILL_RUNNING');
    expect(governance.cancelled).toEqual([]);
  });

  it('tells whoever asked how it comes along', async () => {
    const told: { progress: number; message: string }[] = [];
    governance.view = aWorkflow('running');
    governance.waits = () => new Promise(resolve => { setTimeout(() => { resolve(aWorkflow()); }, 800); });
    await call('fs_write', {}, { progress: async report => { told.push(report); } });
    expect(told).toEqual([{ progress: 1, message: expect.stringContaining(`workflow ${WORKFLOW} is running, 0 of 1 steps have ended`) }]);
  });

  it('of submit_intent answers with the workflow, and is an error where that is one', async () => {
    expect(await call('submit_intent', { goal: 'g', steps: [] })).toMatchObject({ structuredContent: { id: WORKFLOW, status: 'completed' } });
    governance.view = aWorkflow('rolledBack', { error: { code: 'X', detail: 'y', clean: true } });
    expect(await call('submit_intent', { goal: 'g', steps: [] })).toMatchObject({ isError: true, structuredContent: { status: 'rolledBack' }, _meta: { 'io.aifirst/error': { code: 'X' } } });
    governance.view = aWorkflow('running');
    const running = await call('submit_intent', { goal: 'g', steps: [] }, { meta: { 'io.aifirst/waitMs': 0 } });
    expect(running.isError).toBeUndefined();
    expect(textOf(running)).toContain('STILL_RUNNING');
  });

  it('of get_workflow and plan_intent shows what there is', async () => {
    expect(await call('get_workflow', { workflowId: WORKFLOW })).toMatchObject({ structuredContent: { id: WORKFLOW } });
    expect(await call('get_workflow', { workflowId: 'other' })).toMatchObject({ isError: true, _meta: { 'io.aifirst/error': { code: 'NOT_FOUND' } } });
    expect(await call('get_workflow', {})).toMatchObject({ isError: true });
    expect(await call('plan_intent', { goal: 'g', steps: [] })).toMatchObject({ structuredContent: { planId: WORKFLOW } });
    expect(textOf(await call('plan_intent', { planId: WORKFLOW }))).toContain('ask again');
    expect(await call('plan_intent', { planId: WORKFLOW, goal: 'g' })).toMatchObject({ isError: true });
  });

  it('finds capabilities by words', async () => {
    governance.list = [aCapability({ description: 'Writes a letter.' })];
    expect(await call('find_capabilities', { query: 'letter' })).toMatchObject({ structuredContent: { items: [{ tool: 'fs_write' }], more: 0 } });
    expect(await call('find_capabilities', { limit: 0 })).toMatchObject({ isError: true });
  });
});
