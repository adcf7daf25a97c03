/** The tables that the allowed statements are about. */
export const CORPUS_SCHEMA = `
  CREATE SCHEMA crm;
  CREATE TYPE order_state AS ENUM ('open', 'paid');
  CREATE TABLE customer (id int PRIMARY KEY, name text DEFAULT 'nobody', email text, city text, active boolean DEFAULT true, balance numeric DEFAULT 0, tags text[] DEFAULT '{}',
    profile jsonb DEFAULT '{}', boss int);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric DEFAULT 0, state order_state DEFAULT 'open', placed_at timestamptz DEFAULT '2024-01-01');
  CREATE TABLE line (order_id int, no int, article text, PRIMARY KEY (order_id, no));
  CREATE TABLE archive (id int, customer_id int, total numeric);
  CREATE TABLE crm.contact (customer_id int, email text);
  CREATE UNIQUE INDEX ON crm.contact (lower(email)) WHERE customer_id IS NOT NULL;
  INSERT INTO customer (id, name, city, tags, profile) VALUES (1, 'Ada', 'Bonn', '{a,b}', '{"a": 1}'), (2, 'Bob', 'Rome', '{}', '{}'), (3, 'Cem', NULL, '{c}', '{"b": []}');
  INSERT INTO orders (id, customer_id, total) VALUES (1, 1, 10), (2, 2, 0), (3, 2, -1);
  INSERT INTO line VALUES (1, 1, 'pen'), (1, 2, 'ink'), (2, 1, 'cup');
  INSERT INTO crm.contact VALUES (1, 'ada@example.org'), (9, NULL);`;
