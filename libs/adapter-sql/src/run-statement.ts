import type { JsonObject } from '@aifirst/kernel';
import { Query, type QueryArrayResult } from 'pg';
import type { Transaction } from './transaction';
import { RowGatherer, type OutputRoom } from './values';

const AS_TEXT = { getTypeParser: () => (text: string) => text };

export interface StatementOutput { readonly rows: JsonObject[]; readonly rowCount: number }

/** Runs an agent's statement, one by the protocol too, and keeps no more of its answer than may be kept. The transaction is cut where there is more. */
export async function runStatement(transaction: Transaction, text: string, values: readonly (string | null)[], room?: OutputRoom): Promise<StatementOutput> {
  const gatherer = new RowGatherer(room);
  const rowCount = await new Promise<number>((resolve, reject) => {
    const query = new Query<(string | null)[]>({ text, values: values as unknown[], rowMode: 'array', types: AS_TEXT, queryMode: 'extended' } as unknown as string);
    let isOver = false;
    query.on('row', (row, result) => {
      if (isOver) return;
      try { gatherer.add(result!.fields, row); } catch (error) {
        isOver = true;
        transaction.end();
        reject(error as Error);
      }
    });
    query.on('end', (result: QueryArrayResult) => {
      try { gatherer.see(result.fields); resolve(result.rowCount ?? 0); } catch (error) { reject(error as Error); }
    });
    query.on('error', reject);
    transaction.client.query(query);
  });
  return { rows: gatherer.finish(), rowCount };
}
