import type { NamedObject } from './statement';

/** Built-in types whose text form and arithmetic reach nothing but the value. Types without schema that are not built in may be the user's own. */
const TYPES = new Set(`bit bool box bpchar bytea cidr circle date datemultirange daterange float4 float8 inet int2 int4 int4multirange int4range int8 int8multirange
  int8range interval json jsonb jsonpath line lseg macaddr macaddr8 money numeric nummultirange numrange path point polygon record text time timestamp timestamptz timetz
  tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector uuid varbit varchar`.split(/\s+/));

/** Built-in types that look names up in the catalogue, tell of the server's insides, or have no value of their own. */
const NO_TYPES = new Set(`aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray anycompatiblerange anyelement anyenum anymultirange
  anynonarray anyrange char cid cstring event_trigger fdw_handler gtsvector index_am_handler int2vector internal language_handler name oid oidvector refcursor regclass
  regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype table_am_handler tid trigger tsm_handler txid_snapshot unknown
  void xid xid8 xml`.split(/\s+/));

const isServerSchema = (schema: string) => schema.startsWith('pg_') || schema === 'information_schema' || schema === 'aifirst';

/** A relation that a statement may name, as far as its name tells. Without schema `pg_…` is the server's: pg_catalog is on every search path. */
export const isAllowedRelation = ({ schema, name }: NamedObject): boolean => (schema === null ? !name.startsWith('pg_') : !isServerSchema(schema));

/** `_text` is the type of arrays of `text`. */
export const elementType = (name: string): string => name.replace(/^_+/, '');

export function isAllowedType({ schema, name }: NamedObject): boolean {
  const element = elementType(name);
  if (schema === 'pg_catalog') return TYPES.has(element);
  if (schema !== null) return !isServerSchema(schema);
  return TYPES.has(element) || !(NO_TYPES.has(element) || element.startsWith('pg_'));
}

export const isAllowedCollation = ({ schema, name }: NamedObject): boolean => (schema === null || schema === 'pg_catalog') && !name.startsWith('pg_');

/** Of every table; they address rows by place and tell of other transactions. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

/** Built-in functions of one row or of anything that are not allowed, and that `a.name` would call. */
export const ROW_FUNCTIONS: ReadonlySet<string> = new Set(`any_out anycompatible_out anycompatiblenonarray_out anyelement_out anynonarray_out hash_record pg_collation_for
  pg_column_compression pg_column_size pg_column_toast_chunk_id pg_restore_attribute_stats pg_restore_relation_stats record_out record_send`.split(/\s+/));
