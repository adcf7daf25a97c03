import { readFile } from 'node:fs/promises';
import { LineCounter, isNode, parseDocument, visit, type Document } from 'yaml';
import { messageOf } from '@aifirst/kernel';
import { CannotDo, type Surroundings } from '../exit';

export interface IntentFile {
  /** To be sent as it is: a JSON file byte by byte, so that the server judges what was written and not what we read. */
  readonly bytes: Uint8Array;
  /** Where a JSON Pointer leads to, as `name:line`, or the nearest thing around it. */
  placeOf(pointer: string): string | null;
}

/** @param path `-` or none: standard input @throws CannotDo */
export async function readIntent(path: string | undefined, surroundings: Surroundings): Promise<IntentFile> {
  const name = path === undefined || path === '-' ? 'standard input' : path;
  const bytes = withoutMark(path === undefined || path === '-' ? await standardInput(path, surroundings) : await contentOf(path));
  if (bytes.every(byte => byte <= 0x20)) throw new CannotDo(`${name} is empty: an intent is JSON or YAML with \`goal\` and \`steps\``);
  const isYaml = /\.ya?ml$/i.test(name) || (!/\.json$/i.test(name) && !isJson(bytes));
  const found = isYaml ? fromYaml(bytes, name) : bytes;
  return { bytes: found, placeOf: pointer => placeIn(bytes, name, pointer) };
}

async function standardInput(path: string | undefined, { input }: Surroundings): Promise<Uint8Array> {
  const bytes = await (path === '-' || input === undefined ? input?.() ?? null : input());
  if (bytes === null) throw new CannotDo('name a file with an intent, or hand one in by standard input');
  return bytes;
}

async function contentOf(path: string): Promise<Uint8Array> {
  try { return await readFile(path); } catch (error) { throw new CannotDo(`can't read \`${path}\`: ${messageOf(error)}`); }
}

const withoutMark = (bytes: Uint8Array): Uint8Array => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes);

function isJson(bytes: Uint8Array): boolean {
  try { JSON.parse(Buffer.from(bytes).toString()); return true; } catch { return false; }
}

/** Strict: what JSON can't say, or would say otherwise, is refused. */
function fromYaml(bytes: Uint8Array, name: string): Uint8Array {
  let text: string;
  try { text = new TextDecoder('utf-8', { fatal: true }).decode(bytes); } catch { throw new CannotDo(`${name} is not UTF-8`); }
  try {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const wrong = (detail: string, offset: number): never => { throw new CannotDo(`${name}:${lines.linePos(offset).line}: ${detail}`); };
    for (const { message, pos } of [...document.errors, ...document.warnings]) wrong(message, pos[0]);
    visit(document, {
      Scalar: (key, { value, source, range }) => {
        if (key === 'key' || typeof value !== 'number') return;
        if (!Number.isFinite(value)) wrong(`${source ?? value} is no number of JSON`, range![0]);
        if (Number.isInteger(value) && !Number.isSafeInteger(value)) wrong(`${source ?? value} is too large to be kept exactly: put it between quotes`, range![0]);
      },
    });
    return Buffer.from(JSON.stringify(document.toJS()));
  } catch (error) {
    throw error instanceof CannotDo ? error : new CannotDo(`${name} can't be read as YAML: ${messageOf(error)}`);
  }
}

/** JSON is YAML too, so one parser knows the places of both. */
function placeIn(bytes: Uint8Array, name: string, pointer: string): string | null {
  const lines = new LineCounter();
  let document: Document;
  try { document = parseDocument(Buffer.from(bytes).toString(), { lineCounter: lines, prettyErrors: false, uniqueKeys: false }); } catch { return null; }
  const path = pointer.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length).map(part => (/^\d+$/.test(part) ? Number(part) : part)), true);
    if (isNode(node) && node.range) return `${name}:${lines.linePos(node.range[0]).line}`;
  }
  return null;
}
