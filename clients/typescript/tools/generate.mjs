// Makes src/generated/openapi.ts of the OpenAPI document that a server serves.
//   npm run generate -- [<url of the server> | <file>]    AIFIRST_URL or http://127.0.0.1:7400 unless given
//   npm run generate -- --check …                         changes nothing; exit 1 if the file is not what would be made
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTypeScript, { astToString } from 'openapi-typescript';

const TARGET = fileURLToPath(new URL('../src/generated/openapi.ts', import.meta.url));
const FETCH_MS_MAX = 30_000;

const given = process.argv.slice(2);
const isCheck = given[0] === '--check';
const source = given[isCheck ? 1 : 0] ?? process.env.AIFIRST_URL ?? 'http://127.0.0.1:7400';

async function documentOf(from) {
  if (!/^https?:/.test(from)) return JSON.parse(readFileSync(from, 'utf8'));
  const answer = await fetch(`${from.replace(/\/+$/, '')}/openapi.json`, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MS_MAX) });
  if (!answer.ok) throw new Error(`${from}/openapi.json answered ${answer.status}`);
  return answer.json();
}

/** What is refused is a `Problem` everywhere: said once, not for every route. */
function withoutRefusals(document) {
  for (const operation of Object.values(document.paths).flatMap(path => Object.values(path))) {
    for (const status of Object.keys(operation.responses ?? {})) if (Number(status) >= 400) delete operation.responses[status];
  }
  return document;
}

const made = `// Made of the OpenAPI document by tools/generate.mjs: not to be changed by hand.\n${astToString(await openapiTypeScript(withoutRefusals(await documentOf(source)), { immutable: true, emptyObjectsUnknown: true, silent: true }))}`;
if (!isCheck) writeFileSync(TARGET, made);
else if (readFileSync(TARGET, 'utf8') !== made) {
  process.stderr.write('src/generated/openapi.ts is not made of the document that is served: `npm run generate` in the package, with AIFIRST_URL\n');
  process.exitCode = 1;
}
