import fc from 'fast-check';
import { isAllowedOrigin } from './origins';
import { aCapability } from './testing';
import { oneLine, quoted } from './texts';
import { LISTED_MAX, ToolCatalogue } from './tool-catalogue';
import { annotationsOf, capabilityTool, descriptionOf } from './tools';

describe('what a tool says of itself', () => {
  it.each([
    ['readOnly', 'none', 'os', { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }],
    ['reversible', 'exact', 'os', { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false }],
    ['reversible', 'compensating', 'sql', { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false }],
    ['compensable', 'compensating', 'http', { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true }],
    ['irreversible', 'none', 'mcp', { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true }],
  ] as const)('is true to what is declared: %s, undo %s, adapter %s', (reversibility, undo, adapter, expected) => {
    expect(annotationsOf(aCapability({ reversibility, undo, adapter }))).toEqual(expected);
  });

  it('is our own description where the adapter is ours, and how far it can be undone', () => { expect(descriptionOf(aCapability())).toBe('Writes a file. Undone exactly if it is rolled back.'); });

  it('holds a connection\'s own text only as one quoted string', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ maxLength: 600 }), fc.string({ unit: 'binary', maxLength: 300 })), description => {
      const told = descriptionOf(aCapability({ adapter: 'mcp', description, reversibility: 'irreversible' }));
      const [, quotation] = /^Capability of a connected system, which describes it as ("(?:[^"\\]|\\.)*")\. Can not be undone\.$/s.exec(told)!;
      expect(quotation).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069`<>]/);
      expect(JSON.parse(quotation!)).toBe(description.length <= 300 ? description : `${description.slice(0, 300)}…`);
    }));
  });

  it('is our own for what we bring ourselves to a system that is connected', () => {
    expect(descriptionOf(aCapability({ adapter: 'http', name: 'http.request' }))).toMatch(/^Writes a file\./);
    expect(descriptionOf(aCapability({ adapter: 'http', name: 'api.crm.get' }))).toMatch(/^Capability of a connected system/);
  });

  it('is a line where it repeats something', () => { expect(oneLine('a\n\tb\u202ec\u0000  d')).toBe('a b c d'); });
  it('shows tags that nobody sees', () => { expect(quoted('\u{e0041}', 10)).toBe('"\\udb40\\udc41"'); });
});

describe('the list of tools', () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => aCapability({ name: `api.crm.op${at}`, adapter: 'http', description: at === 7 ? 'Raises a credit limit.' : 'Does something.' }));
  const listed = (count: number) => {
    const capabilities = [...many(count), aCapability()];
    const catalogue = new ToolCatalogue(capabilities);
    return { catalogue, reachable: capabilities.map(capability => ({ capability, connections: ['docs'] })) };
  };

  it('has every capability while there are few', () => {
    const { catalogue, reachable } = listed(LISTED_MAX - 1);
    expect(catalogue.list(reachable)).toHaveLength(LISTED_MAX);
  });

  it('has a hundred, our own first, and two that find and call the rest where there are more', () => {
    const { catalogue, reachable } = listed(LISTED_MAX);
    const names = catalogue.list(reachable).map(({ name }) => name);
    expect(names).toHaveLength(LISTED_MAX + 2);
    expect([names[0], ...names.slice(-2)]).toEqual(['fs_write', 'find_capabilities', 'call_capability']);
  });

  it('is searched by words', () => {
    const { catalogue, reachable } = listed(150);
    expect(catalogue.find(reachable, 'Credit LIMIT')).toMatchObject({ items: [{ capability: 'api.crm.op7', tool: 'api_crm_op7', inputSchema: { type: 'object' }, outputSchema: { type: 'object' } }], more: 0 });
    expect(catalogue.find(reachable, '', 3)).toMatchObject({ items: [{}, {}, {}], more: 148 });
  });

  it('names a tool by its capability', () => { expect(capabilityTool({ capability: aCapability(), connections: [] }, 'fs_write')).toMatchObject({ name: 'fs_write', title: 'fs.write' }); });
});

describe('the origin of a page', () => {
  it.each([[undefined, true], ['http://localhost:3000', true], ['https://127.0.0.1', true], ['http://[::1]:7400', true], ['https://console.example', true], ['null', false], ['http://evil.example', false], ['http://localhost.evil.example', false], ['file://localhost', false], ['', false]])('%s may call: %s', (origin, expected) => {
    expect(isAllowedOrigin(origin, ['https://console.example'])).toBe(expected);
  });
});
