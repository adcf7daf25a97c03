import type { Connection, GatewayQuestions } from '@aifirst/contracts';
import { OperationalError, Refusal } from '@aifirst/kernel';
import { InProcessQuery, answerer, asker } from './in-process-query';

describe('InProcessQuery', () => {
  it('hands a question to its owner and the answer back, by type', async () => {
    const query = new InProcessQuery();
    const ask = asker<GatewayQuestions>(query, 'gateway');
    const connection = { name: 'docs' } as Connection;
    answerer<GatewayQuestions>(query, 'gateway')('connection', ({ tenant, name }) => (tenant === 'default' && name === 'docs' ? connection : null));
    const found: Connection | null = await ask('connection', { tenant: 'default', name: 'docs' });
    expect(found).toBe(connection);
    expect(await ask('connection', { tenant: 'acme', name: 'docs' })).toBeNull();
    // @ts-expect-error there is no such question
    await expect(ask('conection', {})).rejects.toMatchObject({ code: 'UNKNOWN_QUESTION' });
  });

  it('lets a refusal reach who asked, also one thrown at once', async () => {
    const query = new InProcessQuery();
    query.answer('audit', 'entries', () => { throw new Refusal({ code: 'NOT_FOUND', detail: 'no such log' }); });
    await expect(query.ask('audit', 'entries', {})).rejects.toBeInstanceOf(Refusal);
  });

  it('tells a service that is not there yet from a question that nobody answers', async () => {
    const query = new InProcessQuery();
    await expect(query.ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true });
    query.answer('policy', 'listRoles', () => ({ items: [] }));
    await expect(query.ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'UNKNOWN_QUESTION', retryable: false });
    await expect(query.ask('policy', 'getRole', {})).rejects.toBeInstanceOf(OperationalError);
  });

  it('takes one answer per question', () => {
    const query = new InProcessQuery();
    query.answer('policy', 'getRole', () => null);
    expect(() => { query.answer('policy', 'getRole', () => null); }).toThrow('answered twice');
    query.answer('audit', 'getRole', () => null);
  });
});
