import { inspect } from 'node:util';
import { PlannerError } from '../errors';
import { completion, reply, ScriptedEndpoint, type Turn } from '../testing';
import { ChatEndpoint } from './chat-endpoint';
import type { EndpointOptions } from './endpoint-options';
import type { ModelAnswer } from './model';

const KEY = 'sk-live-4242-abcdef';
const QUESTION = { messages: [{ role: 'user', content: 'hello' }], schema: { type: 'object', properties: { steps: { type: 'array' } } } } as const;
const refusing = (status: number, message: string, headers: Readonly<Record<string, string>> = {}): Turn => (_, response) => { reply(response, status, { error: { message } }, headers); };

describe('a chat endpoint', () => {
  let endpoint: ScriptedEndpoint;
  beforeEach(async () => { endpoint = await ScriptedEndpoint.start(); });
  afterEach(async () => { await endpoint.stop(); });
  const model = (more: Partial<EndpointOptions> = {}): ChatEndpoint => new ChatEndpoint({ baseUrl: more.baseUrl ?? endpoint.baseUrl, model: 'm', apiKey: KEY, retryDelayMs: 1, ...more });
  const ask = (more: Partial<EndpointOptions> = {}, signal?: AbortSignal): Promise<ModelAnswer> => model(more).ask({ ...QUESTION, ...(signal === undefined ? {} : { signal }) });
  const errorOf = async (work: Promise<unknown>): Promise<PlannerError> => {
    const error: unknown = await work.then(() => null, (failed: unknown) => failed);
    if (!(error instanceof PlannerError)) throw new Error(`no PlannerError but ${inspect(error)}`);
    // Why of each: wherever it is shown, the key is not in it.
    for (const shown of [error.message, error.stack, inspect(error, { depth: 9 }), JSON.stringify(error)]) expect(shown).not.toContain(KEY);
    return error;
  };

  it('is asked for JSON of a schema, with the key in one header', async () => {
    endpoint.says('{"steps": []}');
    expect(await ask({ headers: { 'x-team': 'credit' } })).toEqual({ text: '{"steps": []}', isCut: false, tokens: 15 });
    const [{ path, headers, body }] = endpoint.asked as [typeof endpoint.asked[number]];
    expect([path, headers.authorization, headers['x-team']]).toEqual(['/v1/chat/completions', `Bearer ${KEY}`, 'credit']);
    expect(body).toEqual({ model: 'm', messages: QUESTION.messages, max_tokens: 8_192, stream: false, response_format: { type: 'json_schema', json_schema: { name: 'propose', strict: false, schema: QUESTION.schema } } });
  });

  it('is asked in other forms where it does not take the first, and in that one from then on', async () => {
    const forms = (): unknown[] => endpoint.asked.map(({ body }) => ('response_format' in body ? 'schema' : 'tools' in body ? 'tool' : 'text'));
    endpoint.says(refusing(400, 'response_format is not supported'), (_, response) => { reply(response, 200, completion('', { message: { content: null, tool_calls: [{ function: { name: 'propose', arguments: '{"a":1}' } }] } })); }, 'again');
    const asked = model();
    expect((await asked.ask(QUESTION)).text).toBe('{"a":1}');
    expect((await asked.ask(QUESTION)).text).toBe('again');
    expect(forms()).toEqual(['schema', 'tool', 'tool']);
    expect(endpoint.asked[1]!.body).toMatchObject({ tools: [{ function: { parameters: QUESTION.schema } }], tool_choice: { function: { name: 'propose' } } });
    endpoint.says(refusing(422, 'no'), refusing(400, 'no tools'), 'in words');
    expect((await ask()).text).toBe('in words');
    expect(forms().slice(3)).toEqual(['schema', 'tool', 'text']);
    endpoint.says(refusing(400, 'too long'));
    expect((await errorOf(ask({ output: 'text' }))).message).toContain('answered 400: too long');
  });

  it('is told the limit of an answer by the name that it takes', async () => {
    endpoint.says(refusing(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."), 'ok', 'ok');
    const asked = model({ answerTokensMax: 99 });
    await asked.ask(QUESTION);
    await asked.ask(QUESTION);
    expect(endpoint.asked.map(({ body }) => [body['max_tokens'], body['max_completion_tokens'], 'response_format' in body])).toEqual([[99, undefined, true], [undefined, 99, true], [undefined, 99, true]]);
  });

  it('is asked again after 429 and 5xx, when it says', async () => {
    endpoint.says(refusing(429, 'slow down', { 'retry-after': '0' }), refusing(503, 'busy'), refusing(500, 'oops', { 'retry-after': 'soon' }), 'at last');
    expect((await ask()).text).toBe('at last');
    expect(endpoint.asked).toHaveLength(4);
  });

  it('is given up after so many attempts, and at once if it wants to be left alone for long', async () => {
    endpoint.says(...Array.from({ length: 3 }, () => refusing(503, 'busy')));
    expect(await errorOf(ask({ attemptsMax: 3 }))).toMatchObject({ code: 'MODEL_REFUSED', status: 503, message: expect.stringMatching(/answered 503, tried 3 times: busy/) });
    endpoint.says(refusing(429, 'quota', { 'retry-after': '3600' }));
    expect((await errorOf(ask())).message).toMatch(/quota \(it asks to be left alone for 3600 s\)/);
    expect(endpoint.asked).toHaveLength(4);
  });

  it('that can\'t be reached is tried again, and told without the key', async () => {
    const cutOff: Turn = (_, response) => { response.destroy(); };
    endpoint.says(cutOff, 'after all');
    expect((await ask()).text).toBe('after all');
    const { baseUrl } = endpoint;
    await endpoint.stop();
    expect((await errorOf(ask({ attemptsMax: 2, baseUrl }))).message).toMatch(/^MODEL_UNREACHABLE: http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions can't be reached, tried 2 times: .*ECONNREFUSED/);
    endpoint = await ScriptedEndpoint.start();
  });

  it('that says nothing is not waited for', async () => {
    endpoint.says(() => undefined);
    expect(await errorOf(ask({ timeoutMs: 50 }))).toMatchObject({ code: 'MODEL_TIMEOUT', message: expect.stringContaining('within 50 ms') });
    endpoint.says((_, response) => { response.writeHead(200, { 'content-type': 'application/json' }); response.write('{'); });
    expect((await errorOf(ask({ timeoutMs: 50 }))).code).toBe('MODEL_TIMEOUT');
  });

  it('is not waited for any more when its caller has gone', async () => {
    const gone = new AbortController();
    endpoint.says(() => { gone.abort(new Error('the caller has gone')); });
    await expect(ask({}, gone.signal)).rejects.toThrow('the caller has gone');
    endpoint.says((_, response) => { reply(response, 503, {}, { 'retry-after': '50' }); setTimeout(() => { later.abort(new Error('gone while waiting')); }, 20); });
    const later = new AbortController();
    await expect(ask({}, later.signal)).rejects.toThrow('gone while waiting');
  });

  it('is not followed elsewhere', async () => {
    const other = await ScriptedEndpoint.start('I am not the one');
    endpoint.says((_, response) => { reply(response, 307, {}, { location: `${other.baseUrl}/chat/completions` }); });
    expect((await errorOf(ask())).message).toMatch(/answered 307.*redirects are not followed/);
    expect(other.asked).toEqual([]);
    await other.stop();
  });

  it('that answers with too much, or with what is no answer, is said to', async () => {
    endpoint.says((_, response) => { reply(response, 200, completion('x'.repeat(5_000))); });
    expect(await errorOf(ask({ answerBytesMax: 1_000 }))).toMatchObject({ code: 'MODEL_UNREADABLE', message: expect.stringContaining('more than 1000 bytes') });
    endpoint.says((_, response) => { reply(response, 200, '<html>\u001b[31mLogin'); });
    expect((await errorOf(ask())).message).toMatch(/what is no answer of a chat endpoint: <html>\\x1b\[31mLogin$/);
  });

  it('that repeats the key has it taken out', async () => {
    endpoint.says(refusing(401, `Incorrect API key provided: ${KEY}. Also sk-***********cdef; sent was Bearer ${KEY}, x-key team-secret-1, query q-secret-1`));
    const baseUrl = `${endpoint.baseUrl}/?api-version=q-secret-1`;
    const { message } = await errorOf(ask({ baseUrl, headers: { 'x-key': 'team-secret-1' } }));
    expect(message).toMatch(/answered 401: Incorrect API key provided: \*\*\*\. Also \*\*\*; sent was Bearer \*\*\*, x-key \*\*\*, query \*\*\* \(is the key right/);
    expect(endpoint.asked[0]!.path).toBe('/v1/chat/completions?api-version=q-secret-1');
    expect(message).not.toContain('api-version');
  });

  it('does not show its key when it is looked at', () => {
    const asked = model();
    expect(inspect(asked, { depth: 9, showHidden: true }) + JSON.stringify(asked)).not.toContain(KEY);
  });
});
