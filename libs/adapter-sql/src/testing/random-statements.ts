import * as fc from 'fast-check';
import type { Json } from '@aifirst/kernel';

/** Foreign keys in every mode, triggers that write elsewhere or change what is written, and the kinds of column and table there are. */
export const RANDOM_SCHEMA = `
  CREATE TYPE mood AS ENUM ('calm', 'glad', 'sad');
  CREATE TYPE point3 AS (x int, y text);
  CREATE TABLE account (id int PRIMARY KEY, code text UNIQUE, mood mood NOT NULL DEFAULT 'calm', tags text[], doc json, data jsonb, big text, at timestamptz DEFAULT '2024-01-02 03:04:05.678901+02',
    amount numeric(20, 6), ratio float8, bytes bytea, span interval, place point3, days daterange, size int GENERATED ALWAYS AS (coalesce(length(big), 0)) STORED, seen int NOT NULL DEFAULT 0);
  CREATE TABLE by_cascade (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int REFERENCES account ON DELETE CASCADE ON UPDATE CASCADE, note text);
  CREATE TABLE below_cascade (id serial PRIMARY KEY, above int REFERENCES by_cascade ON DELETE CASCADE, note text);
  CREATE TABLE by_null (id int PRIMARY KEY, account int REFERENCES account ON DELETE SET NULL ON UPDATE CASCADE, note text);
  CREATE TABLE by_default (id int PRIMARY KEY, code text DEFAULT NULL REFERENCES account (code) ON DELETE SET DEFAULT ON UPDATE CASCADE);
  CREATE TABLE by_restrict (id int PRIMARY KEY, account int REFERENCES account ON DELETE RESTRICT);
  CREATE TABLE by_deferred (id int PRIMARY KEY, account int REFERENCES account ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, place int, UNIQUE (place) DEFERRABLE);
  CREATE TABLE part (id int, region int, account int REFERENCES account ON DELETE CASCADE, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
  CREATE TABLE part2 (note text, account int, region int NOT NULL, id int NOT NULL);
  ALTER TABLE part ATTACH PARTITION part2 FOR VALUES IN (2);
  CREATE TABLE bag (word text, number int);
  CREATE TABLE base (id int PRIMARY KEY, word text);
  CREATE TABLE derived (extra int, PRIMARY KEY (id)) INHERITS (base);
  CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY, what text);
  CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := NEW.seen + 1; RETURN NEW; END $$;
  CREATE FUNCTION mirror() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE bag SET number = number + 1 WHERE word = 'm'; RETURN NULL; END $$;
  CREATE TRIGGER log_it AFTER INSERT OR UPDATE OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION log_it();
  CREATE TRIGGER log_it AFTER INSERT OR UPDATE OR DELETE ON part FOR EACH ROW EXECUTE FUNCTION log_it();
  CREATE TRIGGER touch BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION touch();
  CREATE CONSTRAINT TRIGGER mirror AFTER UPDATE OR DELETE ON tree DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mirror();`;

/** Puts the same rows into every table again. */
export const RANDOM_ROWS = `
  TRUNCATE account, by_cascade, below_cascade, by_null, by_default, by_restrict, by_deferred, tree, part, bag, base, derived, log RESTART IDENTITY;
  INSERT INTO account (id, code, tags, doc, data, big, amount, ratio, bytes, span, place, days) SELECT i, 'c' || i, ARRAY['a', NULL, 'b"c'], '{"b": 1,  "a":2}', '{"n": 12345678901234567890}', repeat('x', i * 900),
    i * 1.5, 0.1 * i, '\\x00ff', '1 mon 2 days', ROW(i, 'p')::point3, '[2024-01-01,2024-02-01)' FROM generate_series(1, 8) i;
  INSERT INTO by_cascade (account, note) SELECT 1 + i % 8, 'n' || i FROM generate_series(1, 16) i;
  INSERT INTO below_cascade (above, note) SELECT 1 + i % 16, 'n' || i FROM generate_series(1, 20) i;
  INSERT INTO by_null SELECT i, 1 + i % 8, 'n' FROM generate_series(1, 10) i;
  INSERT INTO by_default SELECT i, 'c' || 1 + i % 8 FROM generate_series(1, 6) i;
  INSERT INTO by_restrict VALUES (1, 1), (2, 2);
  INSERT INTO by_deferred SELECT i, 1 + i % 8 FROM generate_series(1, 8) i;
  INSERT INTO tree SELECT i, nullif(i / 2, 0), i FROM generate_series(1, 8) i;
  INSERT INTO part SELECT i, 1 + i % 2, 1 + i % 8, 'p' FROM generate_series(1, 10) i;
  INSERT INTO bag VALUES ('x', 1), ('x', 1), ('y', 2), ('m', 0), (NULL, NULL);
  INSERT INTO base SELECT i, 'b' FROM generate_series(1, 3) i;
  INSERT INTO derived SELECT i, 'd', i FROM generate_series(4, 6) i;`;

export interface RandomStatement { readonly sql: string; readonly params: readonly Json[] }

const id = fc.integer({ min: 1, max: 10 });
const word = fc.constantFrom('x', 'y', 'm', 'it\'s "q"', '(a,b)', '', '\\', 'ü\n', null);
const S = (sql: string, ...arbitraries: fc.Arbitrary<Json>[]): fc.Arbitrary<RandomStatement> => fc.tuple(...arbitraries).map(params => ({ sql, params: params as Json[] }));

export const randomStatement: fc.Arbitrary<RandomStatement> = fc.oneof(
  S('INSERT INTO account (id, code, tags, big, data) VALUES ($1, $2, $3, repeat($4, 5000), $5)', id, word, fc.array(word, { maxLength: 3 }), fc.constantFrom('z', 'ä'), fc.constant({ k: [1, null, 'v'] })),
  S('UPDATE account SET code = $2, mood = \'sad\' WHERE id = $1', id, word),
  S('UPDATE account SET id = id + $2 WHERE id = $1', id, id),
  S('UPDATE account SET amount = amount * 2, doc = \'{"x":  1}\', place = ROW($2::int, \'q\')::point3 WHERE id <= $1', id, id),
  S('UPDATE account SET code = code WHERE id > $1', id),
  S('DELETE FROM account WHERE id = $1', id),
  S('DELETE FROM account WHERE id > $1', id),
  S('WITH gone AS (DELETE FROM by_restrict RETURNING account) DELETE FROM account WHERE id IN (SELECT account FROM gone) OR id = $1', id),
  S('INSERT INTO by_cascade (account, note) SELECT id, code FROM account WHERE id < $1 RETURNING id', id),
  S('INSERT INTO by_cascade (id, account, note) OVERRIDING SYSTEM VALUE VALUES ($1 + 1000, $2, $3) ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note || \'!\'', id, id, word),
  S('UPDATE by_cascade SET account = $1 WHERE account = $2', id, id),
  S('INSERT INTO below_cascade (above, note) VALUES ($1, $2)', id, word),
  S('UPDATE by_null SET account = $1, note = $3 WHERE id < $2', id, id, word),
  S('UPDATE by_default SET id = id + 100 WHERE id = $1', id),
  S('DELETE FROM by_default USING account a WHERE a.code = by_default.code AND a.id > $1', id),
  S('INSERT INTO by_deferred VALUES ($1, $2) ON CONFLICT DO NOTHING', id, id),
  S('UPDATE tree SET place = 9 - place WHERE id < 9 AND $1 > 0', id),
  S('UPDATE tree SET up = $1 WHERE id = $2', id, id),
  S('DELETE FROM tree WHERE id = $1', id),
  S('INSERT INTO tree VALUES ($1 + 10, $1, $1 + 20)', id),
  S('UPDATE part SET region = 3 - region WHERE id <= $1', id),
  S('UPDATE part SET note = $2 WHERE account = $1', id, word),
  S('INSERT INTO part VALUES ($1, 1, $2, $3), ($1 + 50, 2, $2, $3)', id, id, word),
  S('DELETE FROM part WHERE id > $1', id),
  S('UPDATE bag SET number = coalesce(number, 0) + 1 WHERE word = $1 OR word IS NULL', word),
  S('INSERT INTO bag SELECT $1, number FROM bag', word),
  S('DELETE FROM bag WHERE word = $1', word),
  S('UPDATE base SET word = $2 WHERE id = $1', id, word),
  S('DELETE FROM base WHERE id > $1', id),
  S('INSERT INTO derived VALUES ($1 + 20, $2, $1)', id, word),
  S(`MERGE INTO by_null n USING (SELECT id FROM account WHERE id < $1) a ON n.id = a.id WHEN MATCHED AND a.id > 3 THEN DELETE WHEN MATCHED THEN UPDATE SET note = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (a.id, a.id, 'new')`, id),
  S('TRUNCATE bag'), S('TRUNCATE part'), S('TRUNCATE by_cascade CASCADE'),
);

/** Somebody else's write to one row; the row is found again by `where`. */
export const foreignWrites: readonly { readonly table: string; readonly where: (id: number) => string; readonly set: string }[] = [
  { table: 'account', where: at => `id = ${at}`, set: 'ratio = ratio + 1000' },
  { table: 'by_cascade', where: at => `id = ${at}`, set: `note = note || ' theirs'` },
  { table: 'by_null', where: at => `id = ${at}`, set: `note = coalesce(note, '') || ' theirs'` },
  { table: 'tree', where: at => `id = ${at}`, set: 'place = place + 5000' },
  { table: 'part', where: at => `id = ${at}`, set: `note = coalesce(note, '') || ' theirs'` },
  { table: 'base', where: at => `id = ${at}`, set: `word = coalesce(word, '') || ' theirs'` },
];
