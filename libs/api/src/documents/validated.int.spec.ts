import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROUTES } from '../routes';
import { asyncapi } from './asyncapi';
import { MESSAGES } from './messages';
import { openapi } from './openapi';

/** The validators are ES modules, or need some: they run in a process of their own. */
async function findingsOf(script: string, document: object): Promise<unknown> {
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', `
    let text = '';
    for await (const chunk of process.stdin) text += chunk;
    ${script}`], { cwd: process.cwd(), maxBuffer: 16 * 1024 * 1024 });
  run.child.stdin!.end(JSON.stringify(document));
  return JSON.parse((await run).stdout);
}

describe('the documents', () => {
  it('openapi.json is valid OpenAPI 3.1', async () => {
    expect(await findingsOf(`
      import { Validator } from '@seriousme/openapi-schema-validator';
      const validator = new Validator();
      const result = await validator.validate(JSON.parse(text));
      console.log(JSON.stringify({ ...result, version: validator.version }));`, openapi(ROUTES, '1.2.3'))).toEqual({ valid: true, version: '3.1' });
  });

  it('asyncapi.json is valid AsyncAPI 3.0', async () => {
    expect(await findingsOf(`
      import asyncapi from '@asyncapi/parser';
      const { diagnostics } = await new asyncapi.Parser().parse(text);
      console.log(JSON.stringify(diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => ({ message, path: path.join('/') }))));`, asyncapi(MESSAGES, '1.2.3'))).toEqual([]);
  });
});
