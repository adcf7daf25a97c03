/**
 * All SQL of the store. Every statement is named, so that it is parsed and planned once per connection; all of a unit is
 * one statement, because BEGIN … COMMIT around it costs a quarter of the throughput (measured).
 */
export interface Statement { readonly name: string; readonly text: string }

/** $1 writer, $2 epoch, $3 session, $4 lease in ms, $5 positions, $6 low water, $7 head, $8 sequence. */
const MOVE = `SET lease_until = clock_timestamp() + $4::float8 * interval '1 ms', positions = $5, low_water = $6, head = $7, sequence = $8, revision = revision + 1
  WHERE id = $1 AND epoch = $2 AND session = $3`;
/** $9 last position before, then one array per column. */
const APPEND = `INSERT INTO log (position, stream, version, writer, tenant, key, data)
  SELECT $9::int8 + a.n, a.stream, a.version, f.id, a.tenant, a.key, a.data
  FROM f, unnest($10::uuid[], $11::int8[], $12::text[], $13::text[], $14::text[]) WITH ORDINALITY AS a (stream, version, tenant, key, data, n)`;
/**
 * $15 kind, $16 tenant, $17 id, $18 expected revision or null, $19 step, $20 fresh (0 or 1), $21 data or null to delete.
 * What is there is locked and compared first; one mismatch and nothing of the unit is stored. What is not there is inserted
 * without ON CONFLICT, so that somebody else's document that appears meanwhile is a unique violation. No joins between the
 * arrays: they would be nested loops.
 */
const SEE_DOCUMENTS = `d AS MATERIALIZED (SELECT * FROM unnest($15::text[], $16::text[], $17::text[], $18::int8[], $19::int8[], $20::int8[], $21::text[])
    WITH ORDINALITY AS d (kind, tenant, id, expected, step, fresh, data, n)),
  seen AS MATERIALIZED (SELECT d.n, d.expected, o.revision FROM d JOIN document o ON o.kind = d.kind AND o.tenant = d.tenant AND o.id = d.id FOR UPDATE OF o)`;
const AS_EXPECTED = ` AND NOT EXISTS (SELECT FROM seen WHERE expected <> revision)
    AND (SELECT count(*) FROM d WHERE expected > 0) = (SELECT count(*) FROM seen WHERE expected > 0)`;
const MOVE_DOCUMENTS = `gone AS (DELETE FROM document o USING f, d WHERE d.data IS NULL AND o.kind = d.kind AND o.tenant = d.tenant AND o.id = d.id),
  changed AS (UPDATE document o SET data = d.data, revision = d.step + CASE d.fresh WHEN 1 THEN 0 ELSE o.revision END
    FROM f, d WHERE d.data IS NOT NULL AND o.kind = d.kind AND o.tenant = d.tenant AND o.id = d.id),
  added AS (INSERT INTO document (kind, tenant, id, revision, data)
    SELECT d.kind, d.tenant, d.id, d.step, d.data FROM f, d WHERE d.data IS NOT NULL AND d.n NOT IN (SELECT n FROM seen))`;

const UNFLUSHED = ` AND set_config('synchronous_commit', 'off', true) IS NOT NULL`;

/** The three shapes of a unit; each answers with one row (or one inserted row per append) unless the writer is fenced. */
const shapes = (suffix: string, clause: string) => ({
  /** Nothing but positions and marks: one row updated. */
  move: { name: `move${suffix}`, text: `UPDATE writer ${MOVE}${clause}` },
  /** As many rows inserted as appends given. */
  append: { name: `append${suffix}`, text: `WITH f AS (UPDATE writer ${MOVE}${clause} RETURNING id) ${APPEND}` },
  /** With documents: one row selected. */
  whole: {
    name: `whole${suffix}`,
    text: `WITH ${SEE_DOCUMENTS}, f AS (UPDATE writer ${MOVE}${clause}${AS_EXPECTED} RETURNING id), ${MOVE_DOCUMENTS}, l AS (${APPEND}) SELECT FROM f`,
  },
});
export const COMMIT = { flushed: shapes('', ''), unflushed: shapes('_unflushed', UNFLUSHED) };

const named = (name: string, text: string): Statement => ({ name, text });

/** Identity values are not wasted on a name that exists: there are only 32,767 of them. */
export const ENROL = named('enrol', `INSERT INTO writer (name) SELECT $1::text WHERE NOT EXISTS (SELECT FROM writer WHERE name = $1) ON CONFLICT DO NOTHING`);
/** The row of an unlogged table: recovery after a crash of the server empties it. */
export const INCARNATE = named('incarnate', `INSERT INTO incarnation (id) SELECT gen_random_uuid() WHERE NOT EXISTS (SELECT FROM incarnation) ON CONFLICT DO NOTHING`);
/** $1 name, $2 owner, $3 lease in ms, $4 whether to take it from a living writer. */
export const TAKE = named('take', `UPDATE writer SET epoch = epoch + 1, session = session + 1, owner = $2, lease_until = clock_timestamp() + $3::float8 * interval '1 ms'
  WHERE name = $1 AND (lease_until < clock_timestamp() OR $4)
  RETURNING id, epoch, session, revision, positions, low_water, head, sequence, (SELECT id FROM incarnation) AS incarnation`);
/** $1 names. */
export const HOLDERS = named('holders', `SELECT name, owner, lease_until < clock_timestamp() AS free FROM writer WHERE name = ANY($1::text[])`);
/** $1 the beginning of names. */
export const ENROLLED = named('enrolled', `SELECT name FROM writer WHERE starts_with(name, $1)`);
/** Shards $1/0 to $1/<$2 - 1>, unless there are others of that log already. */
export const ENROL_SHARDS = named('enrol_shards', `INSERT INTO writer (name) SELECT $1::text || '/' || n FROM generate_series(0, $2::int - 1) n
  WHERE NOT EXISTS (SELECT FROM writer WHERE starts_with(name, $1::text || '/')) ON CONFLICT DO NOTHING`);
export const OWNER = named('owner', `SELECT owner FROM writer WHERE name = $1`);
/** After a lost connection. A new session shuts out a statement of the lost one that is still under way. $1 writer, $2 epoch, $3 lease in ms. */
export const RESUME = named('resume', `UPDATE writer SET session = session + 1, lease_until = clock_timestamp() + $3::float8 * interval '1 ms'
  WHERE id = $1 AND epoch = $2 RETURNING session, revision, (SELECT id FROM incarnation) AS incarnation`);
/** Backends of this role that a lost connection has left behind would hold their locks until the network gives them up. */
export const END_LEFTOVERS = named('end_leftovers', `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()`);
/** Nobody waits for the lease to be on disk: the epoch is what fences. */
export const RENEW = named('renew', `UPDATE writer SET lease_until = clock_timestamp() + $4::float8 * interval '1 ms' WHERE id = $1 AND epoch = $2 AND session = $3${UNFLUSHED}`);
export const RELEASE = named('release', `UPDATE writer SET lease_until = '-infinity' WHERE id = $1 AND epoch = $2 AND session = $3`);
export const STANDING = named('standing', `SELECT FROM writer WHERE id = $1 AND epoch = $2 AND session = $3`);

/** $1 writer, $2 epoch, $3 up to, $4 positions at most, $5 streams to keep. Null where the writer was replaced. */
export const TRIM = named('trim', 'SELECT removed, more::text AS more FROM trim_log($1, $2, $3, $4, $5)');
/** $1 ranges at most. */
export const TIDY = named('tidy', 'SELECT tidy_log($1)');
/** $1 writer, $2 epoch, $3 up to, $4 keys. Null where the writer was replaced. */
export const RELEASE_KEYS = named('release_keys', 'SELECT release_keys($1, $2, $3, $4) AS released');

const ROW = 'position, tenant, stream, version, key, data';
/** $2 after, $3 up to: positions are gapless, so that this bounds what is read. */
export const READ = named('read', `SELECT ${ROW} FROM log WHERE writer = $1 AND position > $2 AND position <= $3 ORDER BY position`);
/** Where the start of the log has been removed. */
export const FIRST_AFTER = named('first_after', `SELECT min(position) FROM log WHERE writer = $1 AND position > $2 AND position <= $3`);
export const READ_STREAMS = named('read_streams', `SELECT ${ROW} FROM log WHERE writer = $1 AND stream = ANY ($2::uuid[]) ORDER BY stream, version`);
// Why LATERAL with an offset: a plan made while the log was empty would else walk the whole log and look each row up in the array.
export const READ_VERSIONS = named('read_versions', `SELECT ${ROW.split(', ').map(column => `l.${column}`).join(', ')} FROM unnest($2::uuid[], $3::int8[]) AS p (stream, version) CROSS JOIN LATERAL (SELECT * FROM log WHERE log.stream = p.stream AND log.version = p.version AND log.writer = $1 OFFSET 0) AS l ORDER BY l.stream, l.version`);
export const READ_KEYS = named('read_keys', `SELECT ${ROW} FROM log WHERE writer = $1 AND key = ANY ($2::text[]) ORDER BY position`);
export const EXISTING_VERSIONS = named('existing_versions', `SELECT l.stream, l.version FROM unnest($2::uuid[], $3::int8[]) AS p (stream, version) CROSS JOIN LATERAL (SELECT * FROM log WHERE log.stream = p.stream AND log.version = p.version AND log.writer = $1 OFFSET 0) AS l ORDER BY l.stream, l.version`);
export const EXISTING_KEYS = named('existing_keys', `SELECT key FROM log WHERE writer = $1 AND key = ANY ($2::text[]) ORDER BY key`);

export const GET_DOCUMENT = named('get_document', `SELECT kind, tenant, id, revision, data FROM document WHERE kind = $1 AND tenant = $2 AND id = $3`);
export const REVISIONS = named('revisions', `SELECT l.kind, l.tenant, l.id, l.revision FROM unnest($1::text[], $2::text[], $3::text[]) AS d (kind, tenant, id) CROSS JOIN LATERAL (SELECT * FROM document WHERE document.kind = d.kind AND document.tenant = d.tenant AND document.id = d.id OFFSET 0) AS l`);
export const LIST_OF_TENANT = named('list_of_tenant', `SELECT kind, tenant, id, revision, data FROM document WHERE kind = $1 AND tenant = $2 AND id > $3 ORDER BY id LIMIT $4`);
export const LIST_OF_ALL = named('list_of_all', `SELECT kind, tenant, id, revision, data FROM document WHERE kind = $1 AND (tenant, id) > ($2, $3) ORDER BY tenant, id LIMIT $4`);
