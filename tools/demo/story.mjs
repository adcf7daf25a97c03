// The customer's tables and files, and what the agent means to do with them.

export const TABLES = `
  CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, last_order date NOT NULL);
  CREATE TABLE invoices (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers ON DELETE CASCADE, amount numeric NOT NULL);
  CREATE TABLE history (at int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL);
  CREATE TABLE cards (customer int PRIMARY KEY, number text NOT NULL);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO history (what) VALUES (TG_OP || ' ' || coalesce(NEW.name, OLD.name)); RETURN NULL; END $$;
  CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION note();
  INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', '2026-04-01'), (2, 'Bob', 'bob@example.com', '2019-11-30'), (3, 'Cleo', 'CLEO@Example.com', '2026-03-12'), (4, 'Dan', 'dan@example.com', '2020-02-15');
  INSERT INTO invoices VALUES (101, 1, 120), (102, 2, 80), (103, 2, 45.50), (104, 4, 300);
  INSERT INTO cards VALUES (1, '4000 0000 0000 0002');`;

export const FILES = {
  'customers.csv': '1,Ada\n2,Bob\n3,Cleo\n4,Dan\n',
  'letters/bob.txt': 'Dear Bob, thank you for eleven years with us.\n',
};

const sql = (id, after, statement, params = []) => ({ id, capability: 'sql.execute', dependsOn: after, input: { connection: 'crm', sql: statement, params } });
const file = (verb, id, after, input) => ({ id, capability: `fs.${verb}`, dependsOn: after, input: { connection: 'files', ...input } });

/** The last step bills a customer whom the first has deleted. Nobody sees that before: each step alone is fine. */
export const INTENT = {
  goal: 'clean up customers who have not ordered since 2024',
  steps: [
    sql('dormant', [], 'DELETE FROM customers WHERE last_order < $1', ['2024-01-01']),
    sql('emails', ['dormant'], 'UPDATE customers SET email = lower(email) WHERE id = $1', [3]),
    file('write', 'list', ['emails'], { path: 'customers.csv', content: '1,Ada\n3,Cleo\n' }),
    file('delete', 'letter', ['list'], { path: 'letters/bob.txt' }),
    sql('bill', ['letter'], 'INSERT INTO invoices (id, customer, amount) VALUES ($1, $2, $3)', [105, 2, 15]),
  ],
};

export const DROP = { goal: 'make room', steps: [sql('drop', [], 'DROP TABLE customers')] };
export const CARDS = { goal: 'look at cards', steps: [{ id: 'cards', capability: 'sql.query', input: { connection: 'crm', sql: 'SELECT number FROM cards' } }] };
export const NO_CARDS = 'forbid (principal, action, resource) when { context.resources.contains("sql://crm/public.cards") };';
