import { PlannerError } from '../errors';
import { endpointFromEnvironment, endpointOf } from './endpoint-options';

const LOCAL = { baseUrl: 'http://127.0.0.1:1/v1', model: 'm' };

describe('where a model is', () => {
  it('is said by the environment, or by whoever calls', () => {
    expect(endpointFromEnvironment({ OPENAI_BASE_URL: ' http://h/v1\n', OPENAI_MODEL: 'm', OPENAI_API_KEY: ' k\n' })).toEqual({ baseUrl: 'http://h/v1', model: 'm', apiKey: 'k' });
    expect(endpointFromEnvironment({ OPENAI_API_KEY: 'k', OPENAI_MODEL: 'm' }).baseUrl).toBe('https://api.openai.com/v1');
    expect(endpointFromEnvironment({ OPENAI_BASE_URL: 'http://h' }, { model: 'other', timeoutMs: 5 })).toEqual({ baseUrl: 'http://h', model: 'other', timeoutMs: 5 });
  });
  it.each([[{}, 'OPENAI_BASE_URL'], [{ OPENAI_API_KEY: 'k' }, 'OPENAI_MODEL'], [{ OPENAI_BASE_URL: '', OPENAI_MODEL: 'm' }, 'OPENAI_BASE_URL']])('is asked for in %j by naming %s', (env, name) => {
    expect(() => endpointFromEnvironment(env)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(name) }) as Error);
  });
  it.each([
    ['http://h/v1', 'http://h/v1/chat/completions'], ['https://h/v1//', 'https://h/v1/chat/completions'], ['http://h', 'http://h/chat/completions'], ['https://h/a?api-version=2#x', 'https://h/a/chat/completions?api-version=2'],
  ])('of %s is %s', (baseUrl, url) => { expect(endpointOf({ ...LOCAL, baseUrl }).url).toBe(url); });

  it.each([
    { ...LOCAL, apiKey: 'sec\nret' }, { ...LOCAL, apiKey: '' }, { ...LOCAL, apiKey: 'sec ret' }, { ...LOCAL, headers: { 'x-key': 'sec\nret' } }, { ...LOCAL, headers: { 'x key': 'secret' } },
    { ...LOCAL, baseUrl: 'https://user:sec-ret@h/v1' }, { ...LOCAL, baseUrl: 'sec-ret' }, { ...LOCAL, baseUrl: 'ftp://h' },
  ])('is refused in %j without a word of what is secret', options => {
    let error: unknown;
    try { endpointOf(options); } catch (thrown) { error = thrown; }
    expect(error).toBeInstanceOf(PlannerError);
    expect((error as PlannerError).code).toBe('BAD_OPTION');
    expect((error as PlannerError).message).not.toMatch(/sec|ret\b/);
  });
});
