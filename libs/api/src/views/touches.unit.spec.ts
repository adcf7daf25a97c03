import { randomBytes } from 'node:crypto';
import { lockName, overlap, type CloudEvent } from '@aifirst/contracts';
import { boundedName, connectionIn, lastTouches, touchesOf, withAncestors } from './touches';

const event = (name: string, data: object): CloudEvent => ({
  specversion: '1.0', id: 'w/1', type: `aifirst.workflow.${name}.v1`, source: '/test', time: '2026-01-01T00:00:01.000Z', subject: 'w', tenant: 't', producer: 'orchestrator/0', data: data as never,
});

describe('what a step has touched', () => {
  it('is known from its start, by the identity of what its connection leads to', () => {
    const started = event('step-started', { step: 'a', index: 2, resources: ['file://docs/a/b', 'sql://crm'] });
    expect(touchesOf(started, (_, connection) => (connection === 'docs' ? 'file:///srv' : undefined))).toEqual([
      { step: 2, name: 'file:///srv/a/b', at: Date.parse(started.time) }, { step: 2, name: 'sql://crm', at: Date.parse(started.time) },
    ]);
    expect(touchesOf(event('step-succeeded', { index: 2, resources: ['x://y'] }), () => undefined)).toEqual([]);
  });
  it('counts as it was last', () => {
    expect(lastTouches([{ step: 0, name: 'a', at: 2 }, { step: 0, name: 'a', at: 5 }, { step: 1, name: 'a', at: 1 }, { step: 0, name: 'a', at: 3 }])).toEqual([{ step: 0, name: 'a', at: 5 }, { step: 1, name: 'a', at: 1 }]);
  });
});

describe('names', () => {
  it('are those of locks', () => {
    expect([lockName('file://docs/a', 'file:///srv'), lockName('sql://crm', 'sql://7/db'), lockName('file://docs/a', undefined)]).toEqual(['file:///srv/a', 'sql://7/db', 'file://docs/a']);
    expect([connectionIn('file://docs/a/b'), connectionIn('sql://crm')]).toEqual(['docs', 'crm']);
  });
  it('have what lies above them', () => { expect(withAncestors('file:///srv/a/b')).toEqual(['file:///srv/a/b', 'file:///srv/a', 'file:///srv', 'file://']); });
  it('that are too long for an index count as what lies above them, which covers them', () => {
    const long = `file:///srv/${'é'.repeat(400)}/${randomBytes(2_000).toString('hex')}/x`;
    expect(boundedName(long)).toBe(`file:///srv/${'é'.repeat(400)}`);
    expect(overlap(boundedName(long), long)).toBe(true);
    expect(Buffer.byteLength(boundedName(`api://${'ü'.repeat(4_000)}`))).toBeLessThanOrEqual(1_000);
    expect(boundedName('file:///srv/a')).toBe('file:///srv/a');
  });
});
