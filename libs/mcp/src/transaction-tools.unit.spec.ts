import type { StepView, WorkflowStatus } from '@aifirst/contracts';
import { Refusal, type Clock, type JsonObject } from '@aifirst/kernel';
import type { ToolAnswer } from './answers';
import { GovernedTools, type ToolCall } from './governed-tools';
import type { McpCaller } from './governance';
import { FakeGovernance, WORKFLOW, aCaller, aCapability, aWorkflow } from './testing';

const clock: Clock = { now: () => Date.now(), after: (ms, callback) => { const timer = setTimeout(callback, ms); return () => clearTimeout(timer); } };
const ids = { uuid: () => '01999999-0000-7000-8000-0000000000ff', chance: () => 0 };
const object: JsonObject = { type: 'object', properties: { goal: { type: 'string' } }, required: ['goal'] };
const ERROR = 'io.aifirst/error';
const open = { interactive: { idleTimeoutMs: 60_000, committing: false } };

describe('a transaction by tools', () => {
  let governance: FakeGovernance;
  let tools: GovernedTools;
  beforeEach(() => {
    governance = new FakeGovernance();
    governance.view = aWorkflow('running', {}, open);
    tools = new GovernedTools(governance, { intent: object, plan: object, workflow: object, transaction: object }, clock, ids);
  });
  const call = (name: string, input: JsonObject = {}, over: Partial<ToolCall> = {}, caller: McpCaller = aCaller()): Promise<ToolAnswer> =>
    tools.call(caller, { name, input, meta: {}, client: null, signal: new AbortController().signal, goneIsCancelled: true, ...over });
  const inside = (input: JsonObject = {}, over: Partial<ToolCall> = {}, caller?: McpCaller): Promise<ToolAnswer> => call('fs_write', { path: 'a', transaction: WORKFLOW, ...input }, over, caller);
  const textOf = (answer: ToolAnswer): string => answer.content.map(({ text }) => text).join('\n');
  const shows = (status: WorkflowStatus, step: Partial<StepView>, over = {}): void => { governance.view = aWorkflow(status, step, { ...open, ...over }); };
  const refuses = (code: string, detail = 'no', extra = {}): void => { governance.refusal = new Refusal({ code, detail }, extra); };

  it('is begun with what REST takes, marked with the way it came, and names what calls give', async () => {
    const answer = await call('begin_transaction', { goal: 'g', labels: { team: 'credit' } }, { client: 'crew', meta: { 'io.aifirst/idempotencyKey': 'k' } }, aCaller({ repeatWindowMs: 1_000 }));
    expect(governance.submitted).toEqual([{ body: { goal: 'g', labels: { via: 'mcp', client: 'crew', team: 'credit' } }, idempotencyKey: 'k' }]);
    expect(answer).toMatchObject({ structuredContent: { transaction: WORKFLOW, id: WORKFLOW, status: 'running' }, _meta: { 'io.aifirst/workflowId': WORKFLOW } });
    expect(textOf(answer)).toMatch(/Give this id as `transaction` to every call[^]*Left alone for 60 s/);
  });

  it('that was begun by the same call before and is over says so', async () => {
    governance.replayed = true;
    shows('rolledBack', {}, { statusReason: { code: 'IDLE', detail: 'nobody spoke to it', since: '', actions: [] } });
    const answer = await call('begin_transaction', { goal: 'g' }, { meta: { 'io.aifirst/idempotencyKey': 'k' } });
    expect(answer).toMatchObject({ structuredContent: { status: 'rolledBack' }, _meta: { deduplicated: true } });
    expect(textOf(answer)).toMatch(/was begun by the same call before\. The transaction has ended as `rolledBack` \(IDLE/);
  });

  it('is not taken for another that is begun with the same words', async () => {
    await call('begin_transaction', { goal: 'g' }, {}, aCaller({ repeatWindowMs: 1_000 }));
    expect(governance.submitted).toEqual([{ body: { goal: 'g', labels: { via: 'mcp' } } }]);
  });

  it('takes calls as steps, by argument or by `_meta`, whose arguments are data, and answers with the step\'s output', async () => {
    const answer = await inside({ content: { $ref: '#/steps/x/output' } }, { meta: { 'io.aifirst/timeoutMs': 5 } });
    await call('fs_write', { path: 'a' }, { meta: { 'io.aifirst/transaction': WORKFLOW.toUpperCase() } });
    await call('call_capability', { capability: 'fs.write', arguments: { path: 'a' }, transaction: WORKFLOW });
    expect(governance.steps).toEqual([
      { id: `call-${ids.uuid()}`, capability: 'fs.write', timeoutMs: 5, input: { path: 'a', content: { $literal: { $ref: '#/steps/x/output' } } } },
      ...Array(2).fill({ id: `call-${ids.uuid()}`, capability: 'fs.write', input: { path: 'a' } }),
    ]);
    expect(answer).toEqual({ content: [{ type: 'text', text: '{"path":"a"}' }], structuredContent: { path: 'a' }, _meta: { 'io.aifirst/workflowId': WORKFLOW, 'io.aifirst/stepId': `call-${ids.uuid()}` } });
    expect(governance.submitted).toEqual([]);
  });

  it('leaves an argument of that name to a capability that has one', async () => {
    shows('completed', {});
    const own = (inputSchema: JsonObject) => { governance.list = [aCapability({ inputSchema })]; };
    own({ type: 'object', properties: { transaction: { type: 'string' } } });
    await call('fs_write', { transaction: 'INV-7' });
    own({ type: 'object', allOf: [{ properties: { transaction: {} } }] });
    await call('fs_write', { transaction: 'INV-8' });
    expect(governance.submitted.map(({ body }) => body['steps'])).toEqual([[expect.objectContaining({ input: { transaction: 'INV-7' } })], [expect.objectContaining({ input: { transaction: 'INV-8' } })]]);
    await call('fs_write', { transaction: 'INV-9' }, { meta: { 'io.aifirst/transaction': WORKFLOW } });
    expect(governance.steps).toEqual([expect.objectContaining({ input: { transaction: 'INV-9' } })]);
    expect((await tools.list(aCaller()))[0]!.inputSchema).not.toHaveProperty('properties');
  });

  it('has hints that are true: beginning and keeping change nothing, undoing does', async () => {
    const hints = Object.fromEntries((await tools.list(aCaller())).map(({ name, annotations }) => [name, annotations]));
    for (const name of ['begin_transaction', 'commit_transaction']) expect(hints[name]).toMatchObject({ readOnlyHint: false, destructiveHint: false });
    expect(hints['rollback_transaction']).toMatchObject({ readOnlyHint: false, destructiveHint: true, idempotentHint: true });
  });

  it('shows the argument where it is ours, and does not take it for missing when it is null', async () => {
    const [tool] = await tools.list(aCaller());
    expect(tool!.inputSchema['properties']).toMatchObject({ transaction: { type: 'string' }, path: {} });
    expect(tool!.inputSchema['required']).not.toContain('transaction');
    shows('completed', {});
    await call('fs_write', { transaction: null });
    expect(governance.submitted[0]!.body).toMatchObject({ steps: [{ input: {} }] });
  });

  it.each<[JsonObject, JsonObject]>([[{ transaction: '' }, {}], [{ transaction: 7 }, {}], [{}, { 'io.aifirst/transaction': {} }], [{ transaction: WORKFLOW }, { 'io.aifirst/transaction': 'another' }]])('is not guessed from %j and %j', async (input, meta) => {
    expect(await call('fs_write', input, { meta })).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'INVALID_FIELD' } } });
    expect([governance.steps, governance.submitted]).toEqual([[], []]);
  });

  it('stands when a call in it fails, and says what to do', async () => {
    shows('running', { status: 'failed', output: null, error: { code: 'NOT_FOUND', detail: 'there is nothing', clean: true } });
    const answer = await inside();
    expect(answer).toMatchObject({ isError: true, _meta: { 'io.aifirst/stepId': expect.any(String), [ERROR]: { code: 'NOT_FOUND', clean: true, status: 'running', stepStatus: 'failed', workflowId: WORKFLOW } } });
    expect(textOf(answer)).toMatch(/^NOT_FOUND: there is nothing\nThe step had no effect\.\nThe transaction still stands[^]*commit_transaction[^]*rollback_transaction/);
    expect(governance.cancelled).toEqual([]);
  });

  it('names what is permitted to a call that is denied', async () => {
    shows('running', { status: 'failed', output: null, error: { code: 'POLICY_DENIED', detail: 'nothing permits it', clean: true } });
    expect(textOf(await inside())).toContain('Permitted now: fs_write on docs; fs_read on docs.');
  });

  it.each<[WorkflowStatus, Partial<StepView>, object, string, RegExp]>([
    ['paused', { status: 'unknown', output: null, statusReason: { code: 'OUTCOME_UNKNOWN', detail: 'nobody can tell', since: '', actions: [] } }, { statusReason: { code: 'OUTCOME_UNKNOWN', detail: 'x', since: '', actions: [] } }, 'OUTCOME_UNKNOWN', /is held[^]*get_workflow[^]*a person settles it/],
    ['rolledBack', { status: 'undone', undo: { status: 'done', verified: true, reason: null } }, { statusReason: { code: 'IDLE', detail: 'nobody spoke to it', since: '', actions: [] } }, 'IDLE', /was undone, and the target was read again[^]*ended as `rolledBack`[^]*begin_transaction/],
    ['rollbackBlocked', { status: 'undoBlocked', undo: { status: 'blocked', verified: false, reason: 'it was changed' } }, {}, 'UNDO_BLOCKED', /could not be undone[^]*a person has to look/],
  ])('that is %s by then says so', async (status, step, over, code, text) => {
    shows(status, step, over);
    const answer = await inside();
    expect(answer).toMatchObject({ isError: true, _meta: { [ERROR]: { code, status } } });
    expect(textOf(answer)).toMatch(text);
  });

  it('says that a step still runs, and how to find it', async () => {
    shows('running', { status: 'pending', output: null }, { statusReason: { code: 'LOCKED', detail: 'waits', since: '', actions: [] } });
    const answer = await inside({}, { meta: { 'io.aifirst/waitMs': 0 } });
    expect(answer).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'STILL_RUNNING', stepStatus: 'pending' } } });
    expect(textOf(answer)).toMatch(/LOCKED: waits[^]*get_workflow[^]*same idempotency key/);
  });

  it('says the same of a step that shows nowhere yet', async () => {
    governance.view = { ...aWorkflow('running'), steps: [] };
    expect(await inside({}, { meta: { 'io.aifirst/waitMs': 0 } })).toMatchObject({ isError: true, _meta: { 'io.aifirst/stepId': expect.any(String), [ERROR]: { code: 'STILL_RUNNING' } } });
  });

  it('is not taken back because a client goes', async () => {
    const left = new AbortController();
    governance.waits = () => new Promise(() => { left.abort(); });
    await inside({}, { signal: left.signal });
    for (const name of ['commit_transaction', 'rollback_transaction']) await call(name, { transaction: WORKFLOW }, { signal: left.signal });
    expect([governance.cancelled, governance.steps.length, governance.ordered]).toEqual([[], 1, ['commit', 'rollback: its agent took it back']]);
  });

  it('does a call once under its key, and marks a repeat', async () => {
    governance.replayed = true;
    expect(await inside({}, { meta: { 'io.aifirst/idempotencyKey': 'letter 42' } })).toMatchObject({ structuredContent: { path: 'a' }, _meta: { deduplicated: true } });
    expect(governance.steps[0]!['id']).toMatch(/^key-/);
  });

  it('does an identical call once within the window of an agent that has one, unless it only reads', async () => {
    const caller = aCaller({ repeatWindowMs: 1_000 });
    for (const input of [{}, {}, { path: 'b' }]) await inside(input, {}, caller);
    await call('fs_read', { transaction: WORKFLOW }, {}, caller);
    const [one, same, other, read] = governance.steps.map(({ id }) => id);
    expect([one, other]).toEqual([expect.stringMatching(/^same-.{43}-1$/), expect.stringMatching(/^same-.{43}-1$/)]);
    expect([same === one, other === one, read]).toEqual([true, false, `call-${ids.uuid()}`]);
  });

  it('that is not there, or another agent\'s, is an error that says where to get one', async () => {
    governance.view = null;
    refuses('NOT_FOUND', 'there is no workflow `t`');
    for (const answer of [await inside({ transaction: 't' }), await call('commit_transaction', { transaction: 't' }), await call('rollback_transaction', { transaction: 't' })]) {
      expect(answer).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'NOT_FOUND' } } });
      expect(textOf(answer)).toMatch(/nothing was done[^]*begin_transaction/);
    }
  });

  it.each<[WorkflowStatus, object, RegExp]>([
    ['completed', open, /is committed: what it did stands[^]*Begin another/],
    ['rolledBack', { ...open, statusReason: { code: 'IDLE', detail: 'nobody spoke to it', since: '', actions: [] } }, /ended as `rolledBack` \(IDLE: nobody spoke to it\)[^]*Begin another/],
    ['rollingBack', open, /is being taken back/],
    ['paused', open, /is held and takes no calls[^]*until it is `running`/],
    ['committing', open, /is being committed/],
    ['running', {}, /no transaction that takes calls one by one/],
  ])('that is %s and takes no call says what to do', async (status, over, text) => {
    governance.view = aWorkflow(status, {}, over);
    refuses('WRONG_STATE', 'can not be given another step', { status });
    const answer = await inside();
    expect(answer).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'WRONG_STATE', status } } });
    expect(textOf(answer)).toMatch(text);
  });

  it('stands when a call\'s arguments are wrong, and says which', async () => {
    governance.refusal = new Refusal([{ code: 'INVALID_PATH', detail: 'leads out', pointer: '/input/path' }]);
    expect(textOf(await inside())).toMatch(/argument `\/path`: leads out[^]*It takes `connection`[^]*The transaction still stands/);
  });

  it('does not say whether a call was taken in when nobody knows', async () => {
    governance.refusal = new Error('the orchestrator is away');
    expect(textOf(await inside())).toContain(`ask get_workflow with \`{ "workflowId": "${WORKFLOW}" }\` for step \`call-${ids.uuid()}\``);
  });

  it('is committed, and says which calls had failed', async () => {
    shows('completed', {}, { statusReason: { code: 'STEPS_FAILED', detail: 'without `x`', since: '', actions: [] } });
    const answer = await call('commit_transaction', { transaction: WORKFLOW });
    expect(answer).toMatchObject({ structuredContent: { id: WORKFLOW, status: 'completed' } });
    expect(answer.isError).toBeUndefined();
    expect(textOf(answer)).toContain('Committed: what it did stands. STEPS_FAILED: without `x`');
  });

  it('that waits for somebody when it is committed is an error', async () => {
    shows('paused', { status: 'unknown' }, { statusReason: { code: 'OUTCOME_UNKNOWN', detail: 'nobody can tell', since: '', actions: [] } });
    expect(await call('commit_transaction', {}, { meta: { 'io.aifirst/transaction': WORKFLOW } })).toMatchObject({ isError: true, structuredContent: { status: 'paused' }, _meta: { [ERROR]: { code: 'OUTCOME_UNKNOWN' } } });
  });

  it('is rolled back, verified; or says what is in the way', async () => {
    shows('rolledBack', { status: 'undone', undo: { status: 'done', verified: true, reason: null } });
    expect(textOf(await call('rollback_transaction', { transaction: WORKFLOW, reason: 'a better idea' }))).toContain('Taken back. What it had done was undone, and the targets were read again to verify that.');
    shows('rollbackBlocked', { id: 'w', status: 'undoBlocked', undo: { status: 'blocked', verified: false, reason: 'somebody changed it' } }, { statusReason: { code: 'TARGET_CHANGED', detail: 'one step', since: '', actions: [] } });
    const blocked = await call('rollback_transaction', { transaction: WORKFLOW });
    expect(blocked).toMatchObject({ isError: true, structuredContent: { status: 'rollbackBlocked' }, _meta: { [ERROR]: { code: 'TARGET_CHANGED' } } });
    expect(textOf(blocked)).toContain('- step `w` (fs.write): undoBlocked, undo blocked: somebody changed it');
    expect(governance.ordered).toEqual(['rollback: a better idea', 'rollback: its agent took it back']);
  });

  it('says how to wait on when that takes longer', async () => {
    shows('rollingBack', { status: 'undoing' });
    expect(textOf(await call('rollback_transaction', { transaction: WORKFLOW }, { meta: { 'io.aifirst/waitMs': 0 } }))).toContain('STILL_RUNNING: it is being taken back');
    shows('committing', { status: 'running' });
    expect(textOf(await call('commit_transaction', { transaction: WORKFLOW }, { meta: { 'io.aifirst/waitMs': 0 } }))).toContain('STILL_RUNNING: the transaction takes no more calls');
  });

  it.each<[string, JsonObject, JsonObject]>([
    ['commit_transaction', {}, {}], ['commit_transaction', { transaction: WORKFLOW, force: true }, {}], ['rollback_transaction', { transaction: WORKFLOW, reason: 7 }, {}], ['rollback_transaction', { transaction: 'task_x' }, {}],
    ['begin_transaction', { goal: 'g' }, { 'io.aifirst/transaction': WORKFLOW }], ['submit_intent', { goal: 'g' }, { 'io.aifirst/transaction': WORKFLOW }],
  ])('%s with %j and %j does nothing', async (name, input, meta) => {
    expect(await call(name, input, { meta })).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'INVALID_FIELD' } } });
    expect([governance.submitted, governance.ordered]).toEqual([[], []]);
  });

  it('does not keep tools that only show something from doing so', async () => {
    const meta = { 'io.aifirst/transaction': WORKFLOW };
    expect(await call('get_workflow', { workflowId: WORKFLOW }, { meta })).toMatchObject({ structuredContent: { id: WORKFLOW } });
    expect(await call('find_capabilities', {}, { meta })).toMatchObject({ structuredContent: { more: 0 } });
  });

  it('of a task is named by its token: what is called is a workflow of its own that belongs to it', async () => {
    shows('completed', {});
    await inside({ transaction: 'task_Abc' });
    await call('submit_intent', { goal: 'g' }, { meta: { 'io.aifirst/transaction': 'task_Abc' } });
    await call('begin_transaction', { goal: 'g', parent: 'task_Abc' });
    expect(governance.submitted.map(({ body }) => body)).toMatchObject([{ parent: 'task_Abc', steps: [{ capability: 'fs.write', input: { path: 'a' } }] }, { goal: 'g', parent: 'task_Abc' }, { goal: 'g', parent: 'task_Abc' }]);
    expect(governance.steps).toEqual([]);
    expect(await call('submit_intent', { goal: 'g', parent: 'task_B' }, { meta: { 'io.aifirst/transaction': 'task_Abc' } })).toMatchObject({ isError: true });
  });

  it('tells whoever asked how the step comes along', async () => {
    const told: string[] = [];
    shows('running', { status: 'running', output: null });
    governance.waits = () => new Promise(resolve => { setTimeout(() => { resolve(aWorkflow('running', {}, open)); }, 800); });
    await inside({}, { progress: async ({ message }) => { told.push(message); } });
    expect(told).toEqual([expect.stringMatching(`^step call-.* of transaction ${WORKFLOW} is pending, 1 s$`)]);
  });
});
