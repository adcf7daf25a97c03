import { change, unbounded, type AllowedCase } from './corpus-case';

export const ALLOWED_CHANGES: readonly AllowedCase[] = [
  ...change('everyday: new rows', 'insert', [
    ['INSERT INTO customer (id, name) VALUES ($1, $2)', 'customer', '', 100, 'x'], ["INSERT INTO customer (id, name) VALUES (101, 'a'), (102, DEFAULT) RETURNING id, upper(name)", 'customer', ''],
    ['INSERT INTO archive SELECT id, customer_id, total FROM orders WHERE total < $1', 'archive', 'orders', 1], ['INSERT INTO crm.contact DEFAULT VALUES', 'crm.contact', ''],
    ['INSERT INTO customer AS c (id, name) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE c.active RETURNING c.*', 'customer', '', 'x'],
    ["INSERT INTO customer (id, name) VALUES (1, 'x') ON CONFLICT ON CONSTRAINT customer_pkey DO NOTHING", 'customer', ''], ["INSERT INTO customer (id, name) OVERRIDING USER VALUE VALUES (103, 'x') ON CONFLICT DO NOTHING", 'customer', ''],
    ['INSERT INTO customer (id, name) SELECT max(id) + 1, $1 FROM customer', 'customer', 'customer', 'x'], ['WITH n AS (SELECT 104 AS id) INSERT INTO customer (id, name) SELECT id, $1 FROM n', 'customer', '', 'x'],
    ['INSERT INTO customer (id, name) WITH customer AS (SELECT 105 AS id) SELECT id, $1 FROM customer', 'customer', '', 'x'], ['INSERT INTO customer (id, name, tags[1]) VALUES (106, $1, $2)', 'customer', '', 'x', 'y'],
    ["INSERT INTO crm.contact VALUES ($1, $2) ON CONFLICT (lower(email) COLLATE \"default\" text_ops) WHERE customer_id IS NOT NULL DO NOTHING", 'crm.contact', '', 3, 'x'],
    ['WITH gone AS (DELETE FROM orders WHERE total < 0 RETURNING id, customer_id, total) INSERT INTO archive SELECT * FROM gone', 'archive orders', ''],
  ]),
  ...change('everyday: changed rows', 'update', [
    ['UPDATE customer SET name = $1 WHERE id = $2', 'customer', '', 'x', 1], ['UPDATE customer AS c SET balance = balance + 1, name = DEFAULT WHERE c.id = 1 RETURNING *', 'customer', ''],
    ['UPDATE customer SET (name, city) = ($1, $2) WHERE id = 1', 'customer', '', 'x', 'y'], ['UPDATE customer c SET balance = o.total FROM orders o WHERE o.customer_id = c.id', 'customer', 'orders'],
    ['UPDATE customer SET (name, city) = (SELECT state::text, $1 FROM orders LIMIT 1) WHERE id = 1', 'customer', 'orders', 'x'], ["UPDATE customer SET profile = jsonb_set(profile, '{a}', $1) WHERE profile ? 'a'", 'customer', '', '1'],
    ['UPDATE customer SET tags[1] = $1 WHERE id = 1', 'customer', '', 'x'], ['UPDATE ONLY public.customer SET active = false WHERE id = 1', 'public.customer', ''], ['WITH customer AS (SELECT 1 AS id) UPDATE customer SET active = false WHERE id = 1', 'customer', ''],
    ['UPDATE customer SET active = false WHERE id IN (SELECT customer_id FROM orders GROUP BY customer_id HAVING sum(total) = 0)', 'customer', 'orders'],
    ['UPDATE orders SET total = 0 WHERE id = (SELECT id FROM orders ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)', 'orders', 'orders'], ['UPDATE orders SET total = 0 WHERE id IN (SELECT o.id FROM orders o JOIN customer c ON c.id = o.customer_id FOR NO KEY UPDATE OF o)', 'orders', 'customer orders'],
    ['UPDATE customer SET name = $1 WHERE id = 1 RETURNING WITH (OLD AS before) before.name, new.name', 'customer', '', 'x'],
    ['UPDATE customer SET active = false WHERE id = 1 OR false', 'customer', ''], ['UPDATE customer SET active = false WHERE 1 = 1 AND id = 1', 'customer', ''], ['UPDATE customer SET active = false WHERE 1 = 0', 'customer', ''],
  ]),
  ...change('everyday: rows that go', 'delete', [
    ['DELETE FROM customer WHERE id = $1', 'customer', '', 1], ['DELETE FROM line l USING orders o WHERE l.order_id = o.id AND o.total = 0 RETURNING l.no', 'line', 'orders'], ['DELETE FROM customer WHERE id NOT IN (SELECT customer_id FROM orders)', 'customer', 'orders'],
    ['WITH orders AS (SELECT 1 AS id) DELETE FROM customer USING orders WHERE customer.id = orders.id', 'customer', ''], ['WITH orders AS (SELECT 1 AS id) DELETE FROM orders WHERE id IN (SELECT id FROM orders)', 'orders', ''],
    ['DELETE FROM customer WHERE false', 'customer', ''], ['DELETE FROM public.orders WHERE placed_at < $1', 'public.orders', '', '2000-01-01'],
  ]),
  ...change('everyday: MERGE', 'merge', [
    ['MERGE INTO customer c USING crm.contact k ON c.id = k.customer_id WHEN MATCHED AND k.email IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET email = k.email WHEN NOT MATCHED THEN INSERT (id, name) VALUES (k.customer_id, $1) RETURNING merge_action(), c.id', 'customer', 'crm.contact', 'x'],
    ['MERGE INTO customer c USING (VALUES (1, $1)) AS v (id, name) ON c.id = v.id WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED BY SOURCE AND c.id < 0 THEN DELETE', 'customer', '', 'x'],
    ['WITH s AS (SELECT * FROM orders) MERGE INTO customer USING s ON customer.id = s.customer_id WHEN MATCHED THEN DO NOTHING', 'customer', 'orders'],
  ]),
  ...change('PostgreSQL documentation, 7.8.2: what WITH changes', 'select', [
    ['WITH gone AS (DELETE FROM line WHERE no = $1 RETURNING *) SELECT count(*) FROM gone', 'line', '', 1], ['WITH a AS (UPDATE customer SET active = true WHERE id = 1), b AS (SELECT * FROM customer) SELECT * FROM b', 'customer', 'customer'],
  ]),
  ...unbounded(change('CWE-89 and OWASP: conditions that are always true (tautologies)', 'update', [
    ['UPDATE customer SET active = false', 'customer', ''], ['UPDATE customer SET active = false WHERE true', 'customer', ''], ['UPDATE customer SET active = false WHERE 1 = 1', 'customer', ''],
    ["UPDATE customer SET active = false WHERE 'a' = 'a' OR id = 3", 'customer', ''], ['UPDATE customer SET active = false WHERE id = id', 'customer', ''], ["UPDATE customer SET active = false WHERE 't'::bool", 'customer', ''],
    ['UPDATE customer SET active = false WHERE NOT (1 > 2)', 'customer', ''], ['UPDATE customer SET active = false WHERE NOT false IS TRUE', 'customer', ''], ["UPDATE customer SET active = false WHERE name LIKE '%'", 'customer', ''],
    ['UPDATE customer SET active = false WHERE EXISTS (SELECT 1)', 'customer', ''], ['UPDATE customer SET active = false WHERE $1', 'customer', '', true], ['UPDATE customer SET active = false WHERE 3 <> 4', 'customer', ''],
    ['UPDATE customer c SET active = false FROM orders o', 'customer', 'orders'], ['UPDATE customer SET active = false WHERE 1 IN (1, 2) AND 2 BETWEEN 1 AND 3', 'customer', ''],
    ['UPDATE customer SET active = false WHERE (SELECT true)', 'customer', ''], ['UPDATE customer SET active = false WHERE random() < 2', 'customer', ''], ['UPDATE customer SET active = false WHERE id IS NOT DISTINCT FROM id', 'customer', ''],
  ])),
  ...unbounded(change('CWE-89 and OWASP: deletes of all', 'delete', [
    ['DELETE FROM orders', 'orders', ''], ['DELETE FROM line USING orders', 'line', 'orders'], ['DELETE FROM line WHERE NULL IS NULL', 'line', ''],
  ])),
  ...unbounded(change('PostgreSQL documentation, TRUNCATE', 'truncate', [
    ['TRUNCATE line', 'line', ''], ['TRUNCATE TABLE ONLY line, archive CASCADE', 'archive line', ''], ['TRUNCATE public.line CONTINUE IDENTITY RESTRICT', 'public.line', ''],
  ])),
  ...unbounded(change('PostgreSQL documentation, MERGE: every row', 'merge', [
    ['MERGE INTO customer USING (SELECT 1) AS s ON true WHEN MATCHED THEN UPDATE SET active = false', 'customer', ''], ['MERGE INTO line USING orders ON line.order_id = orders.id WHEN NOT MATCHED BY SOURCE THEN DELETE', 'line', 'orders'],
  ])),
  ...unbounded(change('PostgreSQL documentation, 7.8.2: all rows by WITH', 'select', [['WITH gone AS (DELETE FROM line RETURNING *) SELECT count(*) FROM gone', 'line', '']])),
];
