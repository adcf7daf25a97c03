import type { Json, JsonObject } from '@aifirst/kernel';
import type { ResourceTemplate } from './capability';
import { isLiteral } from './references';

export interface Resource { readonly uri: string; readonly access: 'read' | 'write' }

/**
 * What a step touches, as far as its input tells: one URI per template, in their order, without repeats (`write` wins).
 * A template whose field is still a reference, sealed or no scalar, is left out; so ask again with the resolved input. Where
 * the last field of something read is absent the URI ends before it: no `path` is the whole of the connection.
 *
 * Normal form: names and paths stand as they are (case, spaces, letters of any script), but control characters (C0, DEL, C1)
 * are percent-encoded as UTF-8, and so is a `%` that two hexadecimal digits follow: two different paths never share a URI.
 */
export function expandResources(templates: readonly ResourceTemplate[], connection: string | null, input: JsonObject): readonly Resource[] {
  const found: { uri: string; access: 'read' | 'write' }[] = [];
  for (const { uri: template, access } of templates) {
    const uri = fill(access === 'read' ? withoutAbsentEnd(template, input) : template, connection, input);
    if (uri === undefined) continue;
    const same = found.find(resource => resource.uri === uri);
    if (same === undefined) found.push({ uri, access });
    else if (access === 'write') same.access = 'write';
  }
  return found;
}

/** `file://workspace/a/b` with base `file:///srv/data` → `file:///srv/data/a/b`: two connections to one thing are one thing. See `PlannedStep.lockBase`. */
export function lockName(uri: string, base: string | undefined): string {
  if (base === undefined) return uri;
  const path = uri.indexOf('/', uri.indexOf('://') + 3);
  return path < 0 ? base : base + uri.slice(path);
}

/** What lies right above; null: nothing. */
export function parentOf(name: string): string | null {
  const cut = name.lastIndexOf('/');
  return cut <= name.indexOf('://') + 2 ? null : name.slice(0, cut);
}

/** `a` is `b`, or lies above it: `file://x/p` covers `file://x/p/q`. */
export const covers = (a: string, b: string): boolean => a === b || (b.startsWith(a) && b[a.length] === '/');
export const overlap = (a: string, b: string): boolean => covers(a, b) || covers(b, a);

/** Does a field that a template needs stand there as something that can't be read here (a reference, or a sealed value)? */
export function hasUnknownResources(templates: readonly ResourceTemplate[], input: JsonObject): boolean {
  return templates.some(({ uri }) => fieldsOf(uri).some(name => name !== 'connection' && Object.hasOwn(input, name) && textOf(input[name]) === undefined));
}

const FIELD = /\{([A-Za-z0-9_-]+)\}/g;
const fieldsOf = (template: string): string[] => Array.from(template.matchAll(FIELD), match => match[1]!);

const LAST_FIELD = /(?<=[^/])\/\{([A-Za-z0-9_-]+)\}$/;
/** What is read without a path is read whole. */
function withoutAbsentEnd(template: string, input: JsonObject): string {
  const last = LAST_FIELD.exec(template);
  return last !== null && last[1] !== 'connection' && !Object.hasOwn(input, last[1]!) ? template.slice(0, last.index) : template;
}

function fill(template: string, connection: string | null, input: JsonObject): string | undefined {
  let complete = true;
  const uri = template.replace(FIELD, (_, name: string) => {
    const text = name === 'connection' ? connection ?? undefined : Object.hasOwn(input, name) ? textOf(input[name]) : undefined;
    if (text === undefined) { complete = false; return ''; }
    return normal(text);
  });
  return complete ? uri : undefined;
}

function textOf(field: Json | undefined): string | undefined {
  const value = isLiteral(field) ? field.$literal : field;
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

const UNSAFE = /[\u0000-\u001f\u007f-\u009f]|%(?=[0-9A-Fa-f]{2})/g;
const normal = (text: string): string => text.replace(UNSAFE, character => (character === '%' ? '%25' : encodeURIComponent(character)));
