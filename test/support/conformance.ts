import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import type { Answer, Body } from './http';

interface Operation { readonly method: string; readonly path: RegExp; readonly literal: number; readonly template: string }

/** Holds every answer against `openapi.json`: a documented operation answers only what is written there. */
export class Conformance {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
  private readonly operations: readonly Operation[];
  private readonly compiled = new Map<string, ValidateFunction>();
  readonly seen = new Set<string>();

  constructor(private readonly document: Body) {
    addFormats(this.ajv);
    this.ajv.addSchema({ ...document, $id: 'openapi.json' });
    this.operations = Object.entries<Body>(document.paths).flatMap(([template, item]) =>
      Object.keys(item).map(method => ({ method: method.toUpperCase(), template, path: patternOf(template), literal: template.replaceAll(/\{[^}]+\}/g, '').length })))
      .sort((a, b) => b.literal - a.literal);
  }

  get operationCount(): number { return this.operations.length; }

  /** @throws Error that says which answer is not as documented, and how */
  check(method: string, url: string, { status, headers, body, bytes }: Answer): void {
    const path = url.split('?')[0]!;
    const operation = this.operations.find(candidate => candidate.method === method && candidate.path.test(path));
    const at = `${method} ${url} answered ${status}`;
    if (operation === undefined) {
      if (status >= 400) this.validate('#/components/schemas/Problem', body, at);
      return;
    }
    this.seen.add(`${operation.method} ${operation.template} ${status}`);
    const responses: Body = this.document.paths[operation.template][method.toLowerCase()].responses;
    const response: Body = responses[status];
    if (response === undefined) throw new Error(`${at}, which openapi.json does not name (it names ${Object.keys(responses).join(', ')}): ${bytes.toString('utf8').slice(0, 500)}`);
    if (response.content === undefined) {
      if (bytes.length > 0) throw new Error(`${at} with a body, which openapi.json does not name`);
      return;
    }
    const type = (headers['content-type'] ?? '').split(';')[0]!.trim();
    if (response.content[type] === undefined) throw new Error(`${at} as \`${type}\`; openapi.json names ${Object.keys(response.content).join(', ')}`);
    if (!/[/+]json$/.test(type)) return;
    this.validate(`#/paths/${token(operation.template)}/${method.toLowerCase()}/responses/${status}/content/${token(type)}/schema`, body, at);
  }

  private validate(pointer: string, body: unknown, at: string): void {
    let validate = this.compiled.get(pointer);
    if (validate === undefined) { validate = this.ajv.compile({ $ref: `openapi.json${pointer}` }); this.compiled.set(pointer, validate); }
    if (validate(body)) return;
    throw new Error(`${at}, not as openapi.json says: ${this.ajv.errorsText(validate.errors)}: ${JSON.stringify(body).slice(0, 1_000)}`);
  }
}

const token = (text: string): string => encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));
// Why the last may hold slashes: a tile's index is written in groups.
const patternOf = (template: string): RegExp => new RegExp(`^${template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/tile\/\{level\}\/\{index\}$/, 'tile/[^/]+/.+').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`);
