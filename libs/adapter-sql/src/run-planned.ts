import { CannotDo } from '@aifirst/execution';
import type { Json } from '@aifirst/kernel';
import { failureOf, StatementFailed } from './failures';
import { agentRoleOf } from './governance/govern';
import { ident } from './governance/schema';
import type { Planned } from './plan';
import { runStatement, type StatementOutput } from './run-statement';
import { Interruption, pins, type Transaction } from './transaction';
import { checkSize, wholeRoom } from './values';

/** What was planned, run one statement after the other. `met`: rows read or written by them themselves. The transaction is the agent's already. */
export async function runPlanned(transaction: Transaction, { parts, isScript }: Pick<Planned, 'parts' | 'isScript'>): Promise<{ readonly output: Json; readonly met: number }> {
  if (!isScript) {
    const { statement, values } = parts[0]!;
    const output = await runStatement(transaction, statement.text, values);
    return { output: output as unknown as Json, met: output.rowCount };
  }
  const room = wholeRoom();
  const results: StatementOutput[] = [];
  for (const [index, { statement, values }] of parts.entries()) {
    try {
      // Why: a trigger of the statement before may have set another path, look or role, for what follows too.
      if (index > 0) await transaction.run(`${pins} SET LOCAL ROLE ${ident(agentRoleOf(transaction))}`);
      results.push(await runStatement(transaction, statement.text, values, room));
    } catch (error) { throw named(error, index + 1, parts.length); }
  }
  const output = { results } as unknown as Json;
  checkSize(output);
  return { output, met: results.reduce((sum, { rowCount }) => sum + rowCount, 0) };
}

/** Which of them it was. What nobody knows the end of stays as it is. */
function named(error: unknown, place: number, count: number): unknown {
  if (count === 1 || error instanceof Interruption || !failureOf(error).isDefinite) return error;
  const which = `statement ${place} of ${count}`;
  return error instanceof CannotDo ? new CannotDo(error.code, `${which}: ${error.message}`) : new StatementFailed(which, error);
}
