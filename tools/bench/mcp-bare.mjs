// A tool that nobody governs, on the very transport that the gateway serves tools by: what a governed call is measured against.
// `node mcp-bare.mjs <folder>` sends its address to whoever has started it; it ends with the channel to that one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import mcp from '../../libs/mcp/dist/index.js';

const [folder] = process.argv.slice(2);
const text = { type: 'string' };
const TOOL = {
  name: 'fs_write', title: 'fs.write', description: 'Writes a file.', annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  inputSchema: { type: 'object', properties: { path: text, content: text }, required: ['path', 'content'] }, outputSchema: { type: 'object', properties: { path: text }, required: ['path'] },
};
const host = {
  list: async () => [TOOL],
  async call(_caller, { input: { path, content } }) {
    const at = join(folder, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    return { content: [{ type: 'text', text: JSON.stringify({ path }) }], structuredContent: { path } };
  },
};
const endpoint = new mcp.McpEndpoint({ host, version: '1.0.0', instructions: '', onUnexpected: error => { console.error(error); return 'bare'; } });
const caller = { principal: { kind: 'agent', id: 'bare', tenant: 'default' }, repeatWindowMs: null, traceparent: '' };
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', part => parts.push(part)).on('end', () => {
    if (request.method !== 'POST') { response.writeHead(405, { allow: 'POST' }).end(); return; }
    void endpoint.answer({ body: JSON.parse(Buffer.concat(parts).toString('utf8')), headers: request.headers, caller }, response);
  });
});
server.listen(0, '127.0.0.1', () => { process.send({ url: `http://127.0.0.1:${server.address().port}/mcp` }); });
process.once('disconnect', () => { process.exit(0); });
