import { Document, Scalar, visit } from 'yaml';
import { UNSAFE } from './shown';

/** As JSON; what could drive a terminal is written as an escape, which means the same. */
export const jsonOf = (value: unknown, indent = 2): string => JSON.stringify(value, null, indent).replace(UNSAFE, character => (character === '\n' ? '\n' : unitEscapes(character)));

/** As YAML 1.2; likewise. */
export function yamlOf(value: unknown): string {
  const document = new Document(value ?? null, { aliasDuplicateObjects: false });
  visit(document, {
    // Why: escapes mean what they say between double quotes only.
    Scalar: (_, node) => { if (typeof node.value === 'string' && node.value.replaceAll('\n', '').search(UNSAFE) >= 0) node.type = Scalar.QUOTE_DOUBLE; },
  });
  return document.toString({ lineWidth: 0 }).replace(UNSAFE, character => (character === '\n' ? '\n' : `\\U${character.codePointAt(0)!.toString(16).padStart(8, '0')}`));
}

const unitEscapes = (character: string): string => character.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
