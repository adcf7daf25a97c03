import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from './build';
import type { Body } from './http';

/** What is wrong with a document, as lines. The validators are ES modules, or need some: they run in a process of their own. */
async function findings(script: string, document: Buffer): Promise<string[]> {
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', `
    let text = '';
    for await (const chunk of process.stdin) text += chunk;
    ${script}`], { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 });
  run.child.stdin!.end(document);
  return (JSON.parse((await run).stdout) as Body[]).map(finding => JSON.stringify(finding));
}

export const openapiFindings = (document: Buffer): Promise<string[]> => findings(`
  import { Validator } from '@seriousme/openapi-schema-validator';
  const { valid, errors } = await new Validator().validate(JSON.parse(text));
  console.log(JSON.stringify(valid ? [] : [errors].flat()));`, document);

export const asyncapiFindings = (document: Buffer): Promise<string[]> => findings(`
  import asyncapi from '@asyncapi/parser';
  const { diagnostics } = await new asyncapi.Parser().parse(text);
  console.log(JSON.stringify(diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => ({ message, path: path.join('/') }))));`, document);
