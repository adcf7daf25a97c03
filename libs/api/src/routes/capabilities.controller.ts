import { Controller } from '@nestjs/common';
import { BASE_RISK, type CapabilityDescriptor } from '@aifirst/contracts';
import { component, oneOf, pageOfA, text } from '../documents/schemas';
import { PAGE_QUERY, pageOf } from '../http/page';
import { notFound } from '../http/problem';
import { Route, ok, type Call, type Reply } from '../http/route';
import { Capabilities } from '../intake/capabilities';

@Controller()
export class CapabilitiesController {
  constructor(private readonly capabilities: Capabilities) {}

  @Route({
    method: 'GET', path: '/v1/capabilities', id: 'listCapabilities', tag: 'Capabilities', access: 'principal', summary: 'What can be called.',
    query: { ...PAGE_QUERY, adapter: { description: 'of this adapter', schema: text() }, reversibility: { description: 'of this reversibility', schema: oneOf('readOnly', 'reversible', 'compensable', 'irreversible') } },
    answers: { 200: { description: 'a page', schema: pageOfA('Capability') } }, refusals: ['INVALID_FIELD'],
  })
  list({ query }: Call): Reply {
    const { adapter, reversibility } = query;
    const found = this.capabilities.list().filter(one => (adapter === undefined || one.adapter === adapter) && (reversibility === undefined || one.reversibility === reversibility));
    return ok(pageOf(found.map(shownCapability), one => one.name, query));
  }

  @Route({
    method: 'GET', path: '/v1/capabilities/:name', id: 'getCapability', tag: 'Capabilities', access: 'principal', summary: 'A capability with its schemas.',
    answers: { 200: { description: 'the capability', schema: component('Capability') } }, refusals: ['NOT_FOUND'],
  })
  get({ params }: Call): Reply {
    const found = this.capabilities.find(params['name']!);
    if (found === undefined) throw notFound(`capability \`${params['name']!}\``);
    return ok(shownCapability(found));
  }
}

const shownCapability = ({ name, version, adapter, reversibility, outcome, undo, description, inputSchema, outputSchema }: CapabilityDescriptor) =>
  ({ name, version, adapter, reversibility, baseRisk: BASE_RISK[reversibility], outcome, undo, description, inputSchema, outputSchema });
