import { InvariantViolation, OperationalError } from '@aifirst/kernel';
import type { Client, ClientConfig } from 'pg';
import { base64, newHasher } from '../digest';
import { checkpointText, originOf, signedNote } from '../domain/checkpoint';
import type { Hash } from '../domain/merkle';
import { GrowingTree, TILE_WIDTH, type FullTile } from '../domain/tiles';
import type { NoteSigner } from '../note-signer';
import { openBundle, type StoredBundle } from '../stored-bundle';
import { byteaArray, int8Array, textArray } from './binary-array';
import { Connection, connectionOf } from './database';

/** Rows read at once: a few megabytes. */
const ROWS_PER_READ = 16;
/** Leaves that one checkpoint goes on by at most: what piled up while nobody signed takes several. */
const LEAVES_PER_CHECKPOINT = 64 * 1024;

const ROWS = `SELECT first, count, digest, data FROM bundle WHERE tenant = $1 AND first >= $2 ORDER BY first LIMIT $3`;
const ROW_OF = `SELECT first, count, digest, data FROM bundle WHERE tenant = $1 AND first <= $2 ORDER BY first DESC LIMIT 1`;
const LAST = `SELECT size, root FROM checkpoint WHERE tenant = $1 ORDER BY size DESC LIMIT 1`;
const ROOTS = `SELECT root FROM tile WHERE tenant = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index`;
const SIGN = `WITH t AS (INSERT INTO tile (tenant, level, index, root, hashes)
    SELECT t.tenant, t.level::int2, t.index, t.root, t.hashes FROM unnest($1::text[], $2::int8[], $3::int8[], $4::bytea[], $5::bytea[]) AS t (tenant, level, index, root, hashes) ON CONFLICT DO NOTHING)
  INSERT INTO checkpoint (tenant, size, root, note) SELECT c.tenant, c.size, c.root, c.note FROM unnest($6::text[], $7::int8[], $8::bytea[], $9::text[]) AS c (tenant, size, root, note) ON CONFLICT DO NOTHING`;
/** A server whose default is off would show checkpoints that are not on disk; a stricter default stays. */
const FLUSH = `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`;

/** Entries that were committed are not there: the database has lost them in a crash, or somebody has taken them away. */
export class EntriesMissing extends OperationalError {
  constructor(tenant: string, readonly index: number) { super('AUDIT_ENTRIES_MISSING', `entry ${index} of the log of \`${tenant}\` is gone`, { retryable: true }); }
}

/**
 * Signs what is stored, never what is in memory: entries are read back, hashed again and compared with what was noted of
 * them when they were folded. A checkpoint and the tiles beneath it are on disk before anybody can see them.
 */
export class Checkpointer {
  readonly #connection: Connection;
  readonly #hasher = newHasher();
  readonly #trees = new Map<string, GrowingTree>();
  /** Logs whose stored entries are not what was folded. Nothing of them is signed any more. */
  readonly #broken = new Map<string, string>();

  constructor(config: ClientConfig, schema: string, private readonly deployment: string, private readonly signer: NoteSigner, private readonly onDefect: (detail: string) => void) {
    this.#connection = new Connection(connectionOf(config, schema, 'checkpoints', 'flushed'), async client => { await client.query(FLUSH); });
  }

  /**
   * @param sizes how far each tenant's log is stored
   * @returns whether it got to the end of all of them
   * @throws what the database says; everything is read anew then
   */
  async sign(sizes: ReadonlyMap<string, number>): Promise<boolean> {
    const signed: { tenant: string; size: number; root: Hash; note: string }[] = [];
    const tiles: { tenant: string; tile: FullTile }[] = [];
    let isDone = true;
    try {
      const client = await this.#connection.client();
      for (const [tenant, size] of sizes) {
        if (this.#broken.has(tenant)) continue;
        try {
          const tree = this.#trees.get(tenant) ?? await this.#load(client, tenant);
          this.#trees.set(tenant, tree);
          if (tree.size >= size) continue;
          await this.#grow(client, tenant, tree, size, tile => tiles.push({ tenant, tile }));
          if (tree.size < size) isDone = false;
          const root = tree.root();
          const origin = originOf(this.deployment, tenant);
          const text = checkpointText({ origin, size: tree.size, root: base64(root) });
          signed.push({ tenant, size: tree.size, root, note: signedNote(text, this.signer.line(origin, text)) });
        } catch (error) {
          if (!(error instanceof InvariantViolation)) throw error;
          this.#broken.set(tenant, error.message);
          this.onDefect(error.message);
        }
      }
      if (signed.length > 0) {
        const bytes = (hash: Uint8Array): Buffer => Buffer.from(hash);
        await client.query({
          name: 'sign', text: SIGN, values: [
            textArray(tiles.map(({ tenant }) => tenant)), int8Array(tiles.map(({ tile }) => tile.level)), int8Array(tiles.map(({ tile }) => tile.index)),
            byteaArray(tiles.map(({ tile }) => bytes(tile.root))), byteaArray(tiles.map(({ tile }) => Buffer.concat(tile.hashes))),
            textArray(signed.map(({ tenant }) => tenant)), int8Array(signed.map(({ size }) => size)), byteaArray(signed.map(({ root }) => bytes(root))), textArray(signed.map(({ note }) => note)),
          ],
        });
      }
      return isDone;
    } catch (error) {
      // Why: the trees are ahead of what is stored, perhaps of entries that are lost with the database's crash.
      this.forget();
      this.#connection.drop();
      throw error;
    }
  }

  forget(): void { this.#trees.clear(); }
  defects(): readonly string[] { return [...this.#broken.values()]; }
  end(): Promise<void> { return this.#connection.end(); }

  async #grow(client: Client, tenant: string, tree: GrowingTree, upTo: number, onTile: (tile: FullTile) => void): Promise<void> {
    const end = Math.min(upTo, tree.size + LEAVES_PER_CHECKPOINT);
    while (tree.size < end) {
      const { rows } = await client.query<StoredBundle>({ name: 'rows', text: ROWS, values: [tenant, tree.size, ROWS_PER_READ] });
      if (rows.length === 0) throw new EntriesMissing(tenant, tree.size);
      for (const row of rows) {
        if (Number(row.first) !== tree.size) throw new InvariantViolation(`entry ${tree.size} of the log of \`${tenant}\` is gone`);
        if (tree.size >= end) break;
        for (const hash of checkedHashes(tenant, row)) for (const tile of tree.append(hash)) onTile(tile);
      }
    }
  }

  /** The tree as it was signed last, from what is stored of it. */
  async #load(client: Client, tenant: string): Promise<GrowingTree> {
    const { rows: [last] } = await client.query<{ size: string; root: Buffer }>(LAST, [tenant]);
    if (last === undefined) return new GrowingTree(this.#hasher);
    const size = Number(last.size);
    const edge: Hash[][] = [await this.#tail(client, tenant, size)];
    for (let level = 1; TILE_WIDTH ** level <= size; level++) {
      const end = Math.floor(size / TILE_WIDTH ** level);
      const { rows } = await client.query<{ root: Buffer }>(ROOTS, [tenant, level - 1, Math.floor(end / TILE_WIDTH) * TILE_WIDTH, end]);
      edge.push(rows.map(({ root }) => root));
    }
    const tree = new GrowingTree(this.#hasher, size, edge);
    if (!last.root.equals(tree.root())) throw new InvariantViolation(`the log of \`${tenant}\` is not the one that was signed at size ${size}`);
    return tree;
  }

  async #tail(client: Client, tenant: string, size: number): Promise<Hash[]> {
    const begin = Math.floor(size / TILE_WIDTH) * TILE_WIDTH;
    const hashes: Hash[] = [];
    for (let at = begin; at < size;) {
      const { rows: [row] } = await client.query<StoredBundle>(ROW_OF, [tenant, at]);
      const first = Number(row?.first ?? -1);
      const found = row === undefined ? [] : checkedHashes(tenant, row).slice(at - first, size - first);
      if (found.length === 0) throw new InvariantViolation(`entry ${at} of the log of \`${tenant}\` is gone`);
      hashes.push(...found);
      at += found.length;
    }
    return hashes;
  }
}

function checkedHashes(tenant: string, row: StoredBundle): readonly Hash[] {
  const opened = openBundle(row);
  if (opened === null) throw new InvariantViolation(`entries from ${row.first} on of the log of \`${tenant}\` are not what was folded`);
  return opened.hashes;
}
