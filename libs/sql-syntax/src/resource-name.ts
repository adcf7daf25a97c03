import type { NamedObject } from './statement';

/** `schema.table` as it stands in URIs of resources; without a schema it is in `public`, as every transaction at a target pins it. */
export const resourceName = ({ schema, name }: NamedObject): string => `${part(schema ?? 'public')}.${part(name)}`;

/** Why: a dot in a name must not make it another's, nor a brace a place to fill in. */
const part = (name: string): string => name.replace(/[%./{}\u0000-\u001f\u007f-\u009f]/g, character => (character === '.' ? '%2E' : encodeURIComponent(character)));
