// What the protocol's conformance suite calls by name (tools, prompts, resources), on the very transport that the gateway serves tools by.
import { createServer } from 'node:http';
import { MissingRequiredClientCapabilityError, ProtocolError, ResourceNotFoundError, Server, acceptedContent, createRequestStateCodec, inputRequired } from '@modelcontextprotocol/server';
import mcp from '../../libs/mcp/dist/index.js';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAESsAACJWAAACABAAZGF0YQAAAAA=';
const INVALID_PARAMS = -32_602;
const PAUSE_MS = 50;
const pause = (ms = PAUSE_MS) => new Promise(resolve => setTimeout(resolve, ms));

const text = value => ({ type: 'text', text: value });
const image = { type: 'image', data: PIXEL, mimeType: 'image/png' };
const resource = (uri, mimeType, value) => ({ type: 'resource', resource: { uri, mimeType, text: value } });
const says = (...content) => ({ content });
const asks = (message, name, type = 'string') => ({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema: { type: 'object', properties: { [name]: { type } }, required: [name] } } });
const samples = (question, maxTokens) => ({ method: 'sampling/createMessage', params: { messages: [{ role: 'user', content: text(question) }], maxTokens } });
const ROOTS = { method: 'roots/list' };

const states = createRequestStateCodec({ key: 'a key of the fixture that is long enough', ttlSeconds: 600 });
const given = (context, name) => context.mcpReq.inputResponses?.[name];

/** Each returns what the suite's own description of the scenario says. */
const TOOLS = {
  test_simple_text: () => says(text('This is a simple text response for testing.')),
  test_image_content: () => says(image),
  test_audio_content: () => says({ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }),
  test_embedded_resource: () => says(resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')),
  test_multiple_content_types: () => says(text('Multiple content types test:'), image, resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}')),
  test_error_handling: () => ({ ...says(text('This tool intentionally returns an error for testing')), isError: true }),
  async test_tool_with_logging({ mcpReq }) {
    for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) { await mcpReq.log('info', line); await pause(); }
    return says(text('done'));
  },
  async test_tool_with_progress({ mcpReq }) {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      await pause();
    }
    return says(text('done'));
  },
  test_logging_tool: async ({ mcpReq }) => { await mcpReq.log('info', 'a line'); return says(text('done')); },
  test_missing_capability({ mcpReq }) {
    if (mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities']?.sampling === undefined) throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
    return says(text('done'));
  },
  test_streaming_elicitation: context => (given(context, 'go') === undefined ? inputRequired({ inputRequests: { go: asks('Go on?', 'ok', 'boolean') } }) : says(text('done'))),
  test_input_required_result_elicitation: context => (given(context, 'user_name') === undefined ? inputRequired({ inputRequests: { user_name: asks('What is your name?', 'name') } }) : greet(context)),
  test_input_required_result_sampling: context => (given(context, 'capital_question') === undefined ? inputRequired({ inputRequests: { capital_question: samples('What is the capital of France?', 100) } })
    : says(text(`The model says: ${JSON.stringify(given(context, 'capital_question').content)}`))),
  test_input_required_result_list_roots: context => (given(context, 'client_roots') === undefined ? inputRequired({ inputRequests: { client_roots: ROOTS } }) : says(text(`Roots: ${JSON.stringify(given(context, 'client_roots').roots)}`))),
  async test_input_required_result_request_state(context) {
    return given(context, 'confirm') === undefined ? inputRequired({ inputRequests: { confirm: asks('Please confirm', 'ok', 'boolean') }, requestState: await states.mint('confirm', context) }) : says(text('state-ok'));
  },
  async test_input_required_result_tampered_state(context) {
    return context.mcpReq.requestState() === undefined ? inputRequired({ inputRequests: { confirm: asks('Please confirm', 'ok', 'boolean') }, requestState: await states.mint('tampered', context) }) : says(text('state-ok'));
  },
  async test_input_required_result_multiple_inputs(context) {
    if (['user_name', 'greeting', 'client_roots'].every(name => given(context, name) !== undefined)) return says(text('all given'));
    return inputRequired({ inputRequests: { user_name: asks('What is your name?', 'name'), greeting: samples('Generate a greeting', 50), client_roots: ROOTS }, requestState: await states.mint('several', context) });
  },
  async test_input_required_result_multi_round(context) {
    if (given(context, 'step2') !== undefined) return says(text('both given'));
    const [step, request] = given(context, 'step1') === undefined ? ['step1', asks('Step 1: What is your name?', 'name')] : ['step2', asks('Step 2: What is your favorite color?', 'color')];
    return inputRequired({ inputRequests: { [step]: request }, requestState: await states.mint(step, context) });
  },
  test_input_required_result_capabilities(context) {
    if (Object.keys(context.mcpReq.inputResponses ?? {}).length > 0) return says(text('given'));
    const { sampling, elicitation } = context.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
    const inputRequests = { ...(sampling && { greeting: samples('Generate a greeting', 50) }), ...(elicitation && { user_name: asks('What is your name?', 'name') }) };
    return Object.keys(inputRequests).length === 0 ? says(text('nothing can be asked')) : inputRequired({ inputRequests });
  },
  test_trigger_tool_change: (_context, endpoint) => { endpoint.handler.notify.toolsChanged(); return says(text('done')); },
  test_trigger_prompt_change: (_context, endpoint) => { endpoint.handler.notify.promptsChanged(); return says(text('done')); },
  json_schema_2020_12_tool: () => says(text('done')),
};
const greet = context => { const { name } = acceptedContent(context.mcpReq.inputResponses, 'user_name') ?? {}; return says(text(`Hello, ${name}!`)); };

const NOTHING = { type: 'object', properties: {} };
const SCHEMAS = {
  json_schema_2020_12_tool: {
    $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' }, contactMethod: { type: 'string', enum: ['phone', 'email'] }, phone: { type: 'string' }, email: { type: 'string' } },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }], if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] }, then: { required: ['phone'] }, else: { required: ['email'] }, additionalProperties: false,
  },
};

const user = content => ({ role: 'user', content });
const argument = name => ({ name, description: `The argument ${name}`, required: true });
const PROMPTS = {
  test_simple_prompt: { arguments: [], get: () => [user(text('This is a simple prompt for testing.'))] },
  test_prompt_with_arguments: { arguments: [argument('arg1'), argument('arg2')], get: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] },
  test_prompt_with_embedded_resource: { arguments: [argument('resourceUri')], get: ({ resourceUri }) => [user(resource(resourceUri, 'text/plain', 'Embedded resource content for testing.')), user(text('Please process the embedded resource above.'))] },
  test_prompt_with_image: { arguments: [], get: () => [user(image), user(text('Please analyze the image above.'))] },
  test_input_required_result_prompt: { arguments: [], get: (_given, context) => (given(context, 'user_context') === undefined ? inputRequired({ inputRequests: { user_context: asks('What context should the prompt use?', 'context') } }) : [user(text('With context.'))]) },
};
const RESOURCES = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: PIXEL },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched.' },
};
const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

function read(uri) {
  const id = TEMPLATE.exec(uri)?.[1];
  if (id !== undefined) return { uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
  if (RESOURCES[uri] === undefined) throw new ResourceNotFoundError(uri);
  return { uri, ...RESOURCES[uri] };
}

class FixtureEndpoint extends mcp.McpEndpoint {
  serverFor() {
    const capabilities = { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, completions: {}, logging: {} };
    const server = new Server({ name: 'aifirst-fixture', version: '1.0.0' }, { capabilities, requestState: { verify: (state, context) => states.verify(state, context) } });
    server.setRequestHandler('tools/list', () => ({ tools: Object.keys(TOOLS).map(name => ({ name, description: `Fixture ${name}.`, inputSchema: SCHEMAS[name] ?? NOTHING })) }));
    server.setRequestHandler('tools/call', ({ params: { name } }, context) => {
      if (TOOLS[name] === undefined) throw new ProtocolError(INVALID_PARAMS, `there is no tool ${name}`);
      return TOOLS[name](context, this);
    });
    server.setRequestHandler('prompts/list', () => ({ prompts: Object.entries(PROMPTS).map(([name, prompt]) => ({ name, description: `Fixture ${name}.`, arguments: prompt.arguments })) }));
    server.setRequestHandler('prompts/get', ({ params }, context) => {
      const prompt = PROMPTS[params.name];
      if (prompt === undefined) throw new ProtocolError(INVALID_PARAMS, `there is no prompt ${params.name}`);
      const messages = prompt.get(params.arguments ?? {}, context);
      return Array.isArray(messages) ? { messages } : messages;
    });
    server.setRequestHandler('resources/list', () => ({ resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({ uri, name: uri, description: 'Fixture.', mimeType })) }));
    server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template', description: 'Fixture.', mimeType: 'application/json' }] }));
    server.setRequestHandler('resources/read', ({ params }) => ({ contents: [read(params.uri)] }));
    server.setRequestHandler('resources/subscribe', () => ({}));
    server.setRequestHandler('resources/unsubscribe', () => ({}));
    server.setRequestHandler('completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } }));
    return server;
  }
}

/** @returns its address and what ends it */
export async function startFixtureServer() {
  const endpoint = new FixtureEndpoint({ host: null, version: '1.0.0', instructions: '', onUnexpected: error => { console.error(error); return 'fixture'; } });
  const caller = { principal: { kind: 'agent', id: 'fixture', tenant: 'default' }, repeatWindowMs: null, traceparent: '' };
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', part => parts.push(part)).on('end', () => {
      if (request.method !== 'POST') { response.writeHead(405, { allow: 'POST' }).end(); return; }
      if (!mcp.isAllowedOrigin(request.headers.origin, [])) { response.writeHead(403).end(); return; }
      let body;
      try { body = JSON.parse(Buffer.concat(parts).toString('utf8')); } catch { response.writeHead(400).end(); return; }
      void endpoint.answer({ body, headers: request.headers, caller }, response);
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/mcp`, end: async () => { await endpoint.close(); server.closeAllConnections(); server.close(); } };
}
