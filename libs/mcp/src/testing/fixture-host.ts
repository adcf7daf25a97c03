import type { ToolAnswer } from '../answers';
import { UnknownTool, type ToolCall, type ToolHost } from '../governed-tools';
import type { Tool } from '../tools';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAESsAACJWAAACABAAZGF0YQAAAAA=';
const STEP_MS = 600;

const text = (value: string) => ({ type: 'text', text: value });
const image = { type: 'image', data: PIXEL, mimeType: 'image/png' };
const embedded = (uri: string, mimeType: string, value: string) => ({ type: 'resource', resource: { uri, mimeType, text: value } });
const annotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const pause = (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms); });

/** The tools that the conformance suite of the protocol calls: they show what the transport can carry. */
const FIXTURES: Readonly<Record<string, (call: ToolCall) => Promise<unknown>>> = {
  test_simple_text: async () => ({ content: [text('This is a simple text response for testing.')] }),
  test_image_content: async () => ({ content: [image] }),
  test_audio_content: async () => ({ content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }] }),
  test_embedded_resource: async () => ({ content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')] }),
  test_multiple_content_types: async () => ({ content: [text('Multiple content types test:'), image, embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}')] }),
  test_error_handling: async () => ({ content: [text('This tool intentionally returns an error for testing')], isError: true }),
  test_tool_with_progress: async ({ progress }) => {
    for (const part of [0, 50, 100]) { await progress?.({ progress: part, message: `${part} of 100` }); await pause(50); }
    return { content: [text('done')] };
  },
  slow: async ({ signal }) => { await Promise.race([pause(STEP_MS), new Promise(resolve => { signal.addEventListener('abort', resolve); })]); return { content: [text('slow')] }; },
  fails: async () => { throw new Error('a secret'); },
};

export class FixtureHost implements ToolHost {
  readonly calls: ToolCall[] = [];
  async list(): Promise<readonly Tool[]> {
    return Object.keys(FIXTURES).map(name => ({ name, title: name, description: `Fixture ${name}.`, inputSchema: { type: 'object', properties: {} }, annotations }));
  }
  async call(_caller: unknown, call: ToolCall): Promise<ToolAnswer> {
    this.calls.push(call);
    const fixture = FIXTURES[call.name];
    if (fixture === undefined) throw new UnknownTool(`there is no tool \`${call.name}\``);
    return await fixture(call) as ToolAnswer;
  }
}
