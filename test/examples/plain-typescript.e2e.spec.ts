import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/build';
import { call, ScriptedModel } from '../support/scripted-model';
import { useStack } from '../support/stack';
import { treeOf } from '../support/tree';

const RUN_MS_MAX = 60_000;

describe('the example in plain TypeScript', () => {
  const world = useStack();
  let model: ScriptedModel;
  beforeAll(async () => { model = await ScriptedModel.start(); });
  afterAll(async () => { await model?.stop(); });

  it('acts by way of the runtime: what is done, denied or fails is told to the model, recorded, and can be taken back', async () => {
    const { stack } = world;
    const agent = await stack.agent({ capabilities: ['fs.write', 'fs.read'] });
    const before = treeOf(agent.root);
    const at = { connection: agent.connection.name };
    model.follow([
      call('fs_write', { ...at, path: 'letters/ada.txt', content: 'Dear Ada,' }), call('fs_write', { ...at, path: '../ada.txt', content: 'x' }), call('fs_delete', { ...at, path: 'letters/ada.txt' }),
      call('fs_read', { ...at, path: 'letters/bob.txt' }), call('fs_read', '{"path": '), call('fs_read', { ...at, path: 'letters/ada.txt' }), ({ results }) => `The letter begins with "${JSON.parse(results.at(-1)!).content as string}".`,
    ]);
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, ['tools/example.mjs', 'examples/plain-typescript.ts', 'write', 'a', 'letter'], {
      cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS_MAX, killSignal: 'SIGKILL',
      env: { PATH, HOME: stack.folder, LANG: 'C.UTF-8', ...model.environment, AIFIRST_URL: stack.url, AIFIRST_TOKEN: agent.token! },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
    const code = await new Promise<number | null>(resolve => { child.once('close', resolve); });
    expect([code, stderr, stdout]).toEqual([0, '', 'The letter begins with "Dear Ada,".\n']);
    expect(model.faults).toEqual([]);
    const [written, escaped, unknown, missing, broken] = model.results();
    expect(JSON.parse(written!)).toMatchObject({ path: 'letters/ada.txt', created: true });
    expect([escaped, unknown, missing, broken]).toEqual([expect.stringContaining('INVALID_PATH'), expect.stringContaining('there is no tool `fs_delete`; there are fs_read, fs_write'), expect.stringMatching(/NOT_FOUND: .*there is nothing at that path/), expect.stringContaining('INVALID_INPUT')]);
    expect(readFileSync(join(agent.root, 'letters/ada.txt'), 'utf8')).toBe('Dear Ada,');
    expect(JSON.stringify(model.requests)).not.toContain(agent.token);

    const workflows = (await agent.all('/v1/workflows')).toReversed();
    expect(workflows.map(({ status, steps, labels }) => [steps[0].capability, status, labels])).toEqual([['fs.write', 'completed'], ['fs.read', 'rolledBack'], ['fs.read', 'completed']].map(([capability, status]) => [capability, status, { via: 'typescript', framework: 'none' }]));
    await stack.admin.must(202, 'POST', `/v1/workflows/${workflows[0].id}/rollback`, { body: { reason: 'a trial' } });
    expect((await agent.reaches(workflows[0].id, ['rolledBack', 'rollbackBlocked'])).steps[0].undo.verified).toBe(true);
    expect(treeOf(agent.root)).toEqual(before);
  }, 2 * RUN_MS_MAX);
});
