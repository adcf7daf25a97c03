import Ajv2020 from 'ajv/dist/2020';
import { eventType } from '@aifirst/contracts';
import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { ROUTES } from '../routes';
import { asyncapi } from './asyncapi';
import { MESSAGES } from './messages';
import { openapi } from './openapi';

const document = openapi(ROUTES, '1.2.3') as unknown as { paths: Record<string, Record<string, JsonObject>>; components: { schemas: Record<string, JsonObject> } };
const messages = asyncapi(MESSAGES, '1.2.3');

function* refsIn(value: Json | undefined): Generator<string> {
  if (Array.isArray(value)) { for (const item of value as readonly Json[]) yield* refsIn(item); return; }
  if (!isObject(value)) return;
  if (typeof value['$ref'] === 'string') yield value['$ref'];
  for (const inner of Object.values(value)) yield* refsIn(inner);
}
const resolve = (root: JsonObject, ref: string): unknown => ref.slice(2).split('/').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], root);

describe('openapi.json', () => {
  it('has every route that is served, and none that is not there yet', () => {
    const served = ROUTES.filter(({ instead }) => instead === undefined);
    const documented = Object.entries(document.paths).flatMap(([path, operations]) => Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`));
    expect(documented.sort()).toEqual(served.map(({ method, path, documented: other }) => `${method} ${other?.path ?? path.replaceAll(/:([A-Za-z]+)/g, '{$1}')}`).sort());
    for (const { path, method, instead } of ROUTES) if (instead !== undefined) expect(document.paths[path.replaceAll(/:([A-Za-z]+)/g, '{$1}')]?.[method.toLowerCase()]).toBeUndefined();
  });
  it('gives each operation an id of its own and describes its parameters and errors', () => {
    const operations = Object.values(document.paths).flatMap(path => Object.values(path)) as unknown as { operationId: string; parameters: { name: string; in: string }[]; responses: Record<string, unknown>; security?: unknown[] }[];
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { responses, security } of operations) {
      expect(Object.keys(responses)).toContain('500');
      if (security === undefined) expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '429', '503']));
    }
    expect(JSON.stringify(document)).not.toMatch(/cascade|"force"/);
  });
  it('says that reads with an ETag know If-None-Match', () => {
    const read = document.paths['/v1/roles/{name}']!['get'] as unknown as { parameters: { name: string }[]; responses: Record<string, unknown> };
    expect(read.responses['304']).toEqual(expect.objectContaining({ headers: expect.objectContaining({ ETag: expect.anything() }) }));
    expect(read.parameters.map(({ name }) => name)).toContain('If-None-Match');
    expect((document.paths['/v1/workflows']!['get'] as unknown as typeof read).responses['304']).toBeUndefined();
  });
  it('refers to nothing that is not there', () => {
    for (const ref of refsIn(document as unknown as JsonObject)) expect([ref, resolve(document as unknown as JsonObject, ref)]).toEqual([ref, expect.anything()]);
  });
  it('holds schemas that compile', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ ...(document as unknown as JsonObject), $id: 'https://example.test/openapi' });
    for (const name of Object.keys(document.components.schemas)) expect(ajv.getSchema(`https://example.test/openapi#/components/schemas/${name}`)).toBeDefined();
  });
});

describe('asyncapi.json', () => {
  it('has a message for every fact of a workflow and refers to nothing that is not there', () => {
    for (const ref of refsIn(messages)) expect([ref, resolve(messages, ref)]).toEqual([ref, expect.anything()]);
    for (const name of ['IntentSubmitted', 'StepStarted', 'StepUndoBlocked', 'WorkflowEnded']) expect(MESSAGES.map(({ type }) => type)).toContain(eventType('workflow', name));
  });
  it('describes payloads with schemas that compile', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    for (const { data } of MESSAGES) ajv.compile(data);
  });
});
