import { Controller } from '@nestjs/common';
import { Identity } from '@aifirst/identity';
import { component, pageOfA, text, whole } from '../documents/schemas';
import { PAGE_QUERY, cursorOf, integerOf, limitOf, placeOf, timeOf } from '../http/page';
import { notFound, refuseParameter } from '../http/problem';
import { Route, ok, type Call, type Reply, type RouteDefinition } from '../http/route';
import { TILE_WIDTH, tileOf } from './tile-path';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access' | 'method'> = { tag: 'Audit', access: 'admin', method: 'GET' };
const BYTES = 'application/octet-stream';
const PLAIN = 'text/plain; charset=utf-8';
const FILTERS = ['agent', 'workflow', 'type', 'resource'] as const;

@Controller()
export class AuditController {
  constructor(private readonly identity: Identity) {}

  @Route({
    ...ADMIN, path: '/v1/audit/entries', id: 'listAuditEntries', summary: "The tenant's log, oldest first.",
    query: { ...PAGE_QUERY, agent: filter('of this agent'), workflow: filter('of this workflow'), type: filter('of this event type'), resource: filter('that touch this resource'), from: filter('at or after this time'), to: filter('before this time') },
    answers: { 200: { description: 'a page', schema: pageOfA('AuditEntry') } }, refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async entries({ tenant, query }: Call): Promise<Reply> {
    const from = placeOf(query, isIndex);
    const [fromTime, toTime] = [timeOf(query, 'from'), timeOf(query, 'to')];
    const filters = Object.fromEntries(FILTERS.flatMap(name => (query[name] === undefined ? [] : [[name, query[name]]])));
    const { items, next } = await this.identity.neighbours.ask('audit', 'entries', {
      tenant, limit: limitOf(query), ...filters, ...(from === undefined ? {} : { from }), ...(fromTime === undefined ? {} : { fromTime }), ...(toTime === undefined ? {} : { toTime }),
    });
    return ok({ items, next: next === null ? null : cursorOf(next) });
  }

  @Route({ ...ADMIN, path: '/v1/audit/entries/:index', id: 'getAuditEntry', summary: 'An entry with its leaf hash.', answers: { 200: { description: 'the entry', schema: component('AuditEntry') } }, refusals: ['NOT_FOUND'] })
  async entry({ tenant, params }: Call): Promise<Reply> {
    const index = /^(0|[1-9][0-9]{0,14})$/.test(params['index']!) ? Number(params['index']) : null;
    const entry = index === null ? null : await this.identity.neighbours.ask('audit', 'entry', { tenant, index });
    if (entry === null) throw notFound(`entry \`${params['index']!}\``);
    return ok(entry);
  }

  @Route({ ...ADMIN, path: '/v1/audit/checkpoint', id: 'getCheckpoint', summary: 'The newest signed checkpoint (C2SP tlog-checkpoint).', answers: { 200: { description: 'a signed note', type: 'text/plain', schema: text() } }, refusals: ['NOT_FOUND'] })
  async checkpoint({ tenant }: Call): Promise<Reply> {
    const found = await this.identity.neighbours.ask('audit', 'checkpoint', { tenant });
    if (found === null) throw notFound('checkpoint yet');
    return { status: 200, body: found.note, type: PLAIN, headers: { 'cache-control': 'no-cache' } };
  }

  @Route({
    ...ADMIN, path: '/v1/audit/tile/*', id: 'getTile', summary: 'A tile of hashes, or with `entries` as level a bundle of entries (C2SP tlog-tiles).',
    documented: { path: '/v1/audit/tile/{level}/{index}', parameters: { level: '0 to 63, or `entries`', index: 'in groups of three digits, all but the last with an `x`: `x001/x234/067`; a partial tile ends in `.p/<width>`' } },
    answers: { 200: { description: 'its bytes', type: BYTES, schema: text(undefined, { contentMediaType: BYTES }) } }, refusals: ['NOT_FOUND'],
  })
  async tile({ tenant, params }: Call): Promise<Reply> {
    const tile = tileOf(params['*'] ?? '');
    const found = tile === null ? null : await this.identity.neighbours.ask('audit', 'tile', { tenant, ...tile });
    if (tile === null || found === null) throw notFound('such tile');
    // Why: a full tile never changes; a partial one is soon part of a wider.
    return { status: 200, body: Buffer.from(found.bytes, 'base64'), type: BYTES, headers: { 'cache-control': tile.width === TILE_WIDTH ? 'private, max-age=31536000, immutable' : 'private, max-age=60' } };
  }

  @Route({
    ...ADMIN, path: '/v1/audit/proofs/inclusion', id: 'getInclusionProof', summary: 'That an entry is in the log (RFC 6962).',
    query: { index: { description: 'of the entry', schema: whole(), required: true }, size: { description: "of the log, the newest checkpoint's unless given", schema: whole(1) } },
    answers: { 200: { description: 'the proof', schema: component('InclusionProof') } }, refusals: ['INVALID_FIELD', 'NOT_FOUND'],
  })
  async inclusion({ tenant, query }: Call): Promise<Reply> {
    const [index, size] = [integerOf(query, 'index', 0)!, integerOf(query, 'size', 1)];
    if (size !== undefined && index >= size) throw refuseParameter('index', 'is below `size`');
    return ok(await this.identity.neighbours.ask('audit', 'inclusionProof', { tenant, index, ...(size === undefined ? {} : { size }) }));
  }

  @Route({
    ...ADMIN, path: '/v1/audit/proofs/consistency', id: 'getConsistencyProof', summary: 'That a log of one size is the beginning of the log of another (RFC 6962).',
    query: { from: { description: 'the smaller size', schema: whole(), required: true }, to: { description: 'the larger size', schema: whole(1), required: true } },
    answers: { 200: { description: 'the proof', schema: component('ConsistencyProof') } }, refusals: ['INVALID_FIELD', 'NOT_FOUND'],
  })
  async consistency({ tenant, query }: Call): Promise<Reply> {
    const [from, to] = [integerOf(query, 'from', 0)!, integerOf(query, 'to', 1)!];
    if (from > to) throw refuseParameter('from', 'is not above `to`');
    return ok(await this.identity.neighbours.ask('audit', 'consistencyProof', { tenant, from, to }));
  }

  @Route({ ...ADMIN, path: '/v1/audit/keys', id: 'listAuditKeys', summary: 'The keys that checkpoints are signed with.', answers: { 200: { description: 'the keys', schema: component('AuditKeys') } } })
  async keys({ tenant }: Call): Promise<Reply> { return ok(await this.identity.neighbours.ask('audit', 'keys', { tenant })); }

  @Route({
    ...ADMIN, path: '/v1/audit/export', id: 'exportAudit', summary: 'One file with entries, proofs, checkpoints and keys, for `aifirst audit verify --offline`.',
    query: { from: filter('at or after this time'), to: filter('before this time') }, answers: { 200: { description: 'a JCS document, a newline, a signature line', type: BYTES, schema: text(undefined, { contentMediaType: BYTES }) } }, refusals: ['INVALID_FIELD', 'NOT_FOUND'],
  })
  async export({ tenant, query }: Call): Promise<Reply> {
    const [from, to] = [timeOf(query, 'from'), timeOf(query, 'to')];
    const { document } = await this.identity.neighbours.ask('audit', 'export', { tenant, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) });
    return { status: 200, body: Buffer.from(document), type: BYTES, headers: { 'content-disposition': `attachment; filename="audit-${tenant}.aifirst"`, 'cache-control': 'no-store' } };
  }
}

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
function filter(description: string) { return { description, schema: text() }; }
