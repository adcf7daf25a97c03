import type { JsonObject } from '@aifirst/kernel';
import { isObject } from '@aifirst/kernel';
import { timeOf } from '../command-line';
import { listOf, objectOf, textOf } from '../plan/plan';
import { riskText } from '../plan/show-plan';
import { dim, green, line, shownOf, yellow, type Cell } from '../screen/shown';
import type { Column } from '../screen/table';
import { statusText } from '../workflows/show-fact';

export interface Filter { readonly flags: string; readonly parameter: string; readonly does: string; readonly choices?: readonly string[]; readonly repeats?: boolean; readonly parse?: (text: string) => string }
export interface Listing {
  readonly name: string;
  /** Also `get <alias> <one of them>`. Absent: they can only be listed. */
  readonly one?: { readonly alias: string; readonly argument: string };
  readonly path: string;
  readonly does: string;
  readonly examples: readonly string[];
  readonly filters: readonly Filter[];
  readonly columns: readonly (Column & { readonly of: (item: JsonObject) => Cell })[];
}

const WORKFLOW_STATUSES = ['pending', 'awaitingApproval', 'running', 'paused', 'committing', 'completed', 'rollingBack', 'rolledBack', 'rollbackBlocked', 'redoing', 'rejected', 'failed', 'cancelled'];
const SERVICES = ['gateway', 'orchestrator', 'policy', 'audit', 'adapter-os', 'adapter-sql'];

const field = (name: string) => (item: JsonObject): Cell => textOf(item[name]);
/** To the second: that is what people look for. */
const when = (name: string) => (item: JsonObject): Cell => textOf(item[name]).replace(/\.\d+Z$/, 'Z');
const names = (name: string) => (item: JsonObject): Cell => listOf(item[name]).map(textOf).join(', ');
const map = (name: string) => (item: JsonObject): Cell => Object.entries(objectOf(item[name]) ?? {}).map(([key, value]) => `${key}=${textOf(value)}`).join(' ');

export const LISTINGS: readonly Listing[] = [
  {
    name: 'workflows', path: '/v1/workflows', does: 'Workflows, newest first; an agent sees its own.',
    examples: ['get workflows --limit 20', 'get workflows --status paused', 'get workflows --label team=credit --created-from 2026-01-01 -o json'],
    filters: [
      { flags: '--status <status>', parameter: 'status', does: 'with this status', choices: WORKFLOW_STATUSES }, { flags: '--agent <id>', parameter: 'agent', does: 'of this agent' },
      { flags: '--label <name=value>', parameter: 'label', does: 'with this label; more than one: all of them', repeats: true },
      { flags: '--created-from <time>', parameter: 'createdFrom', does: 'created at or after', parse: timeOf }, { flags: '--created-to <time>', parameter: 'createdTo', does: 'created before', parse: timeOf },
    ],
    columns: [
      { title: 'ID', of: field('id') }, { title: 'STATUS', of: item => statusText(textOf(item['status'])) }, { title: 'STEPS', align: 'right', of: item => listOf(item['steps']).length }, { title: 'CREATED', of: when('createdAt') },
      { title: 'AGENT', flexible: true, of: field('agent') }, { title: 'WHY', of: item => textOf(objectOf(item['statusReason'])?.['code']) }, { title: 'GOAL', flexible: true, of: field('goal') },
    ],
  },
  {
    name: 'agents', one: { alias: 'agent', argument: 'id' }, path: '/v1/agents', does: 'The agents of the tenant.', examples: ['get agents', 'get agents --role clerk --status active', 'get agent 01980000-0000-7000-8000-000000000000'],
    filters: [
      { flags: '--name <name>', parameter: 'name', does: 'with this name' }, { flags: '--owner <owner>', parameter: 'owner', does: 'with this owner' },
      { flags: '--status <status>', parameter: 'status', does: 'with this status', choices: ['active', 'suspended'] }, { flags: '--role <role>', parameter: 'role', does: 'with this role' },
    ],
    columns: [
      { title: 'ID', of: field('id') }, { title: 'NAME', flexible: true, of: field('name') }, { title: 'STATUS', of: item => (item['status'] === 'suspended' ? yellow('suspended') : green(textOf(item['status']))) },
      { title: 'OWNER', flexible: true, of: field('owner') }, { title: 'ROLES', flexible: true, of: names('roles') }, { title: 'TOKENS', align: 'right', of: item => listOf(item['tokens']).length }, { title: 'KEYS', align: 'right', of: item => listOf(item['keys']).length },
    ],
  },
  {
    name: 'capabilities', one: { alias: 'capability', argument: 'name' }, path: '/v1/capabilities', does: 'What can be called.', examples: ['get capabilities', 'get capabilities --reversibility irreversible', 'get capability fs.write'],
    filters: [{ flags: '--adapter <adapter>', parameter: 'adapter', does: 'of this adapter' }, { flags: '--reversibility <how>', parameter: 'reversibility', does: 'of this reversibility', choices: ['readOnly', 'reversible', 'compensable', 'irreversible'] }],
    columns: [
      { title: 'NAME', of: field('name') }, { title: 'ADAPTER', of: field('adapter') }, { title: 'REVERSIBILITY', of: field('reversibility') }, { title: 'UNDO', of: field('undo') },
      { title: 'RISK', of: item => riskText(textOf(objectOf(item['baseRisk'])?.['level'])) }, { title: 'DESCRIPTION', flexible: true, of: field('description') },
    ],
  },
  {
    name: 'connections', one: { alias: 'connection', argument: 'name' }, path: '/v1/connections', does: 'The connections of the tenant.', examples: ['get connections', 'get connections --adapter sql', 'get connection workspace -o yaml'],
    filters: [{ flags: '--adapter <adapter>', parameter: 'adapter', does: 'of this adapter' }],
    columns: [
      { title: 'NAME', of: field('name') }, { title: 'ADAPTER', of: field('adapter') }, { title: 'CONFIG', flexible: true, of: map('config') }, { title: 'LABELS', flexible: true, of: map('labels') },
      { title: 'LIMITATIONS', flexible: true, of: item => listOf(item['limitations']).map(textOf).join('; ') },
    ],
  },
  {
    name: 'roles', one: { alias: 'role', argument: 'name' }, path: '/v1/roles', does: 'The roles of the tenant, and what they permit.', examples: ['get roles', 'get role clerk'], filters: [],
    columns: [{ title: 'NAME', of: field('name') }, { title: 'CAPABILITIES', flexible: true, of: names('capabilities') }, { title: 'CONNECTIONS', flexible: true, of: names('connections') }, { title: 'UPDATED', of: when('updatedAt') }],
  },
  {
    name: 'policies', one: { alias: 'policy', argument: 'name' }, path: '/v1/policies', does: 'The policies of the tenant, and which version is in force.', examples: ['get policies', 'get policy small-credit-only'], filters: [],
    columns: [
      { title: 'NAME', of: field('name') }, { title: 'VERSION', align: 'right', of: field('version') }, { title: 'ACTIVE', align: 'right', of: item => (item['active'] === null ? dim('none') : green(textOf(item['active']))) },
      { title: 'UPDATED', of: when('updatedAt') }, { title: 'CEDAR', flexible: true, of: item => textOf(item['cedar']).replaceAll(/\s+/g, ' ').slice(0, 80) },
    ],
  },
  {
    name: 'locks', path: '/v1/locks', does: 'Locks that are held, and who waits for them.', examples: ['get locks', 'get locks --workflow 01980000-0000-7000-8000-000000000000', 'get locks --resource file://workspace/log.txt'],
    filters: [{ flags: '--workflow <id>', parameter: 'workflow', does: 'held by this workflow' }, { flags: '--resource <uri>', parameter: 'resource', does: 'on this resource' }],
    columns: [
      { title: 'RESOURCE', flexible: true, of: field('resource') }, { title: 'MODE', of: field('mode') }, { title: 'HELD BY', of: field('workflow') }, { title: 'SINCE', of: when('since') },
      { title: 'WAITING', align: 'right', of: item => listOf(item['waiting']).length }, { title: 'ID', of: field('id') },
    ],
  },
  {
    name: 'dead-letters', path: '/v1/dead-letters', does: 'Messages that could not be handled, with what waits behind them.', examples: ['get dead-letters', 'get dead-letters --status parked --service orchestrator'],
    filters: [{ flags: '--status <status>', parameter: 'status', does: 'with this status', choices: ['parked', 'replayed', 'discarded'] }, { flags: '--service <name>', parameter: 'service', does: 'of this service', choices: SERVICES }],
    columns: [
      { title: 'ID', of: field('id') }, { title: 'STATUS', of: field('status') }, { title: 'PARKED', of: when('parkedAt') }, { title: 'TYPE', of: field('type') }, { title: 'KEY', flexible: true, of: field('key') },
      { title: 'WHY', flexible: true, of: item => line`${textOf(item['code'])}: ${textOf(item['detail'])}` },
    ],
  },
  {
    name: 'kill-switches', one: { alias: 'kill-switch', argument: 'id' }, path: '/v1/controls/kill-switches', does: 'The kill switches that are engaged.', examples: ['get kill-switches', 'get kill-switch stop-all -o json'], filters: [],
    columns: [
      { title: 'ID', of: field('id') }, { title: 'SCOPE', of: item => scopeText(item['scope']) }, { title: 'ROLLBACK', of: field('rollback') }, { title: 'SINCE', of: when('createdAt') }, { title: 'REASON', flexible: true, of: field('reason') },
    ],
  },
];

function scopeText(scope: unknown): Cell {
  if (!isObject(scope)) return '';
  return scope['id'] === undefined ? shownOf(textOf(scope['kind'])) : line`${textOf(scope['kind'])} ${textOf(scope['id'])}`;
}
