import type { NamedObject } from './statement';

/**
 * Functions of pg_catalog that compute from their arguments, or read the clock or chance: they write nothing, read no file, catalogue or
 * setting, wait for nothing, signal nobody and evaluate no text as SQL. A name is here only if that holds for all its overloads, those
 * in `bounded-growth.ts` excepted, which must be small.
 * Left out on purpose although harmless to look at: `ts_rewrite`, `ts_stat`, `query_to_xml` and the like (run a query given as text), `nextval`
 * (no undo), `setseed` (outlives the statement), `array_fill` (size by argument), `current_query`, `version` and others that tell of the server.
 */
const ALLOWED = `
  abs ceil ceiling floor round trunc sign mod div power pow sqrt cbrt exp ln log log10 pi degrees radians gcd lcm factorial scale min_scale trim_scale width_bucket
  acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cos cosd cosh cot cotd sin sind sinh tan tand tanh erf erfc gamma lgamma random random_normal
  ascii bit_count bit_length btrim casefold char_length character_length chr concat concat_ws convert convert_from convert_to crc32 crc32c decode encode format get_bit get_byte
  initcap is_normalized left length like like_escape lower lpad ltrim md5 normalize notlike octet_length overlay parse_ident position quote_ident quote_literal quote_nullable
  regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad
  rtrim set_bit set_byte sha224 sha256 sha384 sha512 similar_escape similar_to_escape split_part starts_with string_to_array string_to_table strpos substr substring to_ascii
  to_bin to_hex to_oct translate unistr unicode_assigned upper
  age clock_timestamp date_add date_bin date_part date_subtract date_trunc extract isfinite justify_days justify_hours justify_interval make_date make_interval make_time
  make_timestamp make_timestamptz now overlaps statement_timestamp timeofday timezone to_char to_date to_number to_timestamp transaction_timestamp
  bool bpchar bytea date float4 float8 int2 int4 int8 interval numeric text time timestamp timestamptz timetz varbit varchar
  gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version
  array_append array_cat array_dims array_length array_lower array_ndims array_position array_positions array_prepend array_remove array_replace array_reverse array_sample
  array_shuffle array_sort array_to_string array_upper cardinality trim_array unnest generate_series generate_subscripts
  enum_first enum_last enum_range num_nonnulls num_nulls pg_typeof
  int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange multirange
  isempty lower_inc lower_inf upper_inc upper_inf range_merge
  abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen
  area box center circle diagonal diameter height line lseg path point polygon radius slope width
  array_to_json row_to_json to_json to_jsonb json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text
  json_extract_path json_extract_path_text json_object json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof
  jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text
  jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
  jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_record_valid jsonb_populate_recordset
  jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof
  array_to_tsvector json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline
  ts_rank ts_rank_cd tsquery_phrase tsvector_to_array websearch_to_tsquery
  any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or count every json_agg json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique
  json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict max min range_agg
  range_intersect_agg string_agg sum corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
  stddev_samp var_pop var_samp variance mode percentile_cont percentile_disc
  cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number`;

/**
 * Syntax of newer servers that an older one reads as a call of somebody's function: listed among a statement's functions, so that a catalogue
 * can be asked. Absent from pg_proc where they are syntax.
 */
const SYNTAX = 'json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value merge_action';

export const ALLOWED_FUNCTIONS: ReadonlySet<string> = new Set(ALLOWED.trim().split(/\s+/));
export const SYNTAX_FUNCTIONS: ReadonlySet<string> = new Set(SYNTAX.split(' '));

/** Allowed are names without schema and those of pg_catalog; that the first mean the same is a matter of the search path, and the caller's. */
export const isAllowedFunction = ({ schema, name }: NamedObject): boolean =>
  (schema === null && SYNTAX_FUNCTIONS.has(name)) || ((schema === null || schema === 'pg_catalog') && ALLOWED_FUNCTIONS.has(name));

/** By prefix or name, the longest first: what is wrong with the functions people try. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(pg_sleep|pg_sleep_for|pg_sleep_until)$/, 'it only waits'],
  [/^(pg_read_|pg_ls_|pg_stat_file|pg_current_logfile|lo_import|lo_export|pg_file_)/, "it reaches the server's files"],
  [/^(lo_|lo[a-z]+$)/, 'large objects can\'t be undone'],
  [/^(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_promote|pg_switch_wal|pg_backup_|pg_create_restore_point|pg_wal_)/, 'it acts on the server'],
  [/^(pg_advisory_|pg_try_advisory_)/, 'it takes a lock that no rollback shows'],
  [/^(set_config|setseed)$/, 'it changes the session'],
  [/^(current_setting|version|current_database|current_schemas?|current_user|session_user|user|system_user|current_query|inet_|pg_backend_pid)/, 'it tells of the server and the session, not of the data'],
  [/^(nextval|setval|currval|lastval)$/, "a sequence can't be set back; leave the column to its default, or give a value as a parameter"],
  [/^(pg_notify|pg_listening_channels|pg_logical_|pg_replication_|pg_create_.*_slot|pg_drop_replication_slot)/, 'it reaches beyond the tables'],
  [/^(query_to_xml|cursor_to_xml|table_to_xml|schema_to_xml|database_to_xml|ts_stat$|ts_rewrite$|crosstab|connectby|xpath_table)/, 'it runs a query that is given as text'],
  [/^(dblink|postgres_fdw)/, 'it reaches another database'],
  [/^(xml|xpath)/, 'XML is not allowed'],
  [/^(array_fill)$/, 'it fills as much memory as it is told to'],
  [/^(has_|pg_|to_reg|reg|format_type|obj_description|col_description|shobj_description|row_security_active|txid_|acl)/, "it looks into the server's catalogue"],
];

export function whyNot({ schema, name }: NamedObject): string {
  if (schema !== null && schema !== 'pg_catalog') return 'only functions of pg_catalog are allowed';
  return REASONS.find(([pattern]) => pattern.test(name))?.[1] ?? 'it is not among the built-in functions that are known to change nothing';
}
