import { Controller } from '@nestjs/common';
import { Route, type Access, type Method, type Reply, type RouteDefinition } from '../http/route';

const PEOPLE = 'the administrator\'s token stands for the person `admin`';
const ROLES = 'permit it with PUT /v1/roles/:name and give the agent the role';

/** Promised, and not there yet: what to do instead. */
const LATER: readonly (readonly [Method, string, Access, string])[] = [
  ['POST', '/v1/workflows/:id/redo', 'principal', 'hand the intent in again with another `Idempotency-Key`'],
  ...both('/v1/people', 'admin', PEOPLE),
  ['POST', '/v1/people', 'admin', PEOPLE],
  ...both('/v1/grants', 'principal', ROLES),
  ['POST', '/v1/grants', 'principal', ROLES],
  ['POST', '/v1/grants/:id/decisions', 'principal', ROLES],
  ['POST', '/v1/grants/:id/revoke', 'principal', ROLES],
  ['GET', '/v1/approvals', 'principal', 'pause a workflow with POST /v1/workflows/:id/pause, or send the intent with `onFailure: pause`, to have a person decide'],
  ['POST', '/v1/approvals/:id/decisions', 'principal', 'resume or roll back the workflow with POST /v1/workflows/:id/{resume,rollback}'],
  ['POST', '/v1/policies/simulate', 'admin', 'check a policy with POST /v1/policies/validate before it is activated'],
  ['POST', '/v1/audit/erasures', 'admin', 'leave personal data out of intents, or in fields that are sealed'],
  ['POST', '/v1/audit/subject-exports', 'admin', 'filter GET /v1/audit/entries'],
  ['POST', '/v1/audit/reports', 'admin', 'export the log with GET /v1/audit/export'],
  ['GET', '/v1/audit/reports/:id', 'admin', 'export the log with GET /v1/audit/export'],
];

function both(path: string, access: Access, instead: string): [Method, string, Access, string][] {
  return [['GET', path, access, instead], ['GET', `${path}/:id`, access, instead], ['PUT', `${path}/:id`, access, instead], ['DELETE', `${path}/:id`, access, instead]];
}

/** Answers 501 on every path that is promised and not there yet: known, so that nobody takes a misspelling for it. */
@Controller()
export class LaterController {}

for (const [method, path, access, instead] of LATER) {
  const definition: RouteDefinition = { method, path, access, instead, id: `${method} ${path}`, tag: 'Later', summary: 'not there yet', answers: {} };
  const descriptor: PropertyDescriptor = { value: (): Reply => ({ status: 501 }), writable: true, configurable: true, enumerable: true };
  Route(definition)(LaterController.prototype, definition.id, descriptor);
  Object.defineProperty(LaterController.prototype, definition.id, descriptor);
}
