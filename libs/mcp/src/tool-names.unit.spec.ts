import fc from 'fast-check';
import { OWN_TOOL_NAMES, TOOL_NAME_CHARS_MAX, toolNames } from './tool-names';

const capability = fc.oneof(fc.string({ minLength: 1, maxLength: 100 }), fc.string({ unit: fc.constantFrom('a', 'b', '.', '_', '-'), minLength: 1, maxLength: 4 }), fc.constantFrom(...OWN_TOOL_NAMES, 'plan.intent', 'fs.write', 'fs_write'));

describe('the names of tools', () => {
  it('are those of the capabilities in letters, digits, `_` and `-`', () => {
    expect(Object.fromEntries(toolNames(['fs.write', 'sql.execute', 'aws.s3.putObject', 'mcp.my-server.do it!']))).toEqual({ 'fs.write': 'fs_write', 'sql.execute': 'sql_execute', 'aws.s3.putObject': 'aws_s3_putObject', 'mcp.my-server.do it!': 'mcp_my-server_do_it_' });
  });

  it('bear a suffix, both of them, where they would be the same', () => {
    const names = toolNames(['a.b', 'a_b', 'a.c']);
    expect(names.get('a.c')).toBe('a_c');
    for (const clashing of ['a.b', 'a_b']) expect(names.get(clashing)).toMatch(/^a_b_[0-9a-f]{8}$/);
  });

  it('leave those of our own tools alone', () => { expect(toolNames(['plan.intent']).get('plan.intent')).toMatch(/^plan_intent_[0-9a-f]{8}$/); });

  it('are cut, and told apart by a suffix, where they are too long', () => {
    const [one, other] = [`api.crm.${'x'.repeat(80)}1`, `api.crm.${'x'.repeat(80)}2`];
    const names = toolNames([one, other]);
    expect(names.get(one)).toHaveLength(TOOL_NAME_CHARS_MAX);
    expect(names.get(one)).not.toBe(names.get(other));
  });

  it('are valid, all different, and the same in whatever order capabilities come', () => {
    fc.assert(fc.property(fc.uniqueArray(capability, { maxLength: 30 }), capabilities => {
      const names = toolNames(capabilities);
      const all = [...names.values()];
      expect(all).toHaveLength(capabilities.length);
      expect(new Set([...all, ...OWN_TOOL_NAMES]).size).toBe(all.length + OWN_TOOL_NAMES.length);
      for (const name of all) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(toolNames([...capabilities].reverse())).toEqual(names);
    }));
  });
});
