import { nestsTooDeep, type Token } from './nesting';
import { parse, prepareSqlSyntax } from './parser';

beforeAll(prepareSqlSyntax);

/** Calls within calls until the stack ends. */
function levelsOfStack(): number {
  let levels = 0;
  const deeper = (): void => { levels++; deeper(); };
  try { deeper(); } catch { /* the end of it */ }
  return levels;
}

const reads = (): boolean => {
  try { return 'tree' in parse('SELECT 1'); } catch (error) {
    expect(error).toMatchObject({ code: 'SQL_PARSER_BUSY', retryable: true });
    return false;
  }
};

describe('the parser', () => {
  it('uses no instance again whose stack overflowed, and has new ones soon', async () => {
    const sum = `SELECT 1${'+1'.repeat(1_900)}`;
    let found: object | undefined;
    const below = (levels: number): void => { if (levels > 0) below(levels - 1); else found = parse(sum); };
    const levels = levelsOfStack();
    for (let round = 0; round < 20; round++) {
      const outcomes: string[] = [];
      // Why from half of the stack on: the statement alone takes a quarter, and the calls differ in size from those counted.
      for (let share = 0.5; share < 1 && !outcomes.includes('SQL_PARSER_BUSY'); share += 0.02) {
        found = undefined;
        try {
          below(Math.floor(levels * share));
          outcomes.push(found !== undefined && 'tooDeep' in found ? 'overflow' : 'read');
        } catch (error) { outcomes.push((error as { code?: string }).code ?? 'the stack of the test'); }
      }
      expect(outcomes.filter(outcome => outcome !== 'read').join(' ')).toMatch(/^(overflow ){1,2}SQL_PARSER_BUSY$/);
      await new Promise(resolve => setTimeout(resolve, 1));
      for (let wait = 0; wait < 500 && !reads(); wait++) await new Promise(resolve => setTimeout(resolve, 2));
      expect(parse('SELECT name FROM customer WHERE id = $1')).toHaveProperty('tree.stmts.length', 1);
    }
  });

  it('counts the place of an error in characters', async () => {
    for (let wait = 0; wait < 500 && !reads(); wait++) await new Promise(resolve => setTimeout(resolve, 2));
    expect(parse("SELECT 'é€😀' FROM FROM")).toMatchObject({ character: 18 });
  });
});

describe('the bound of nesting', () => {
  const tokens = (text: string): Token[] => text.split(' ').filter(word => word !== '').map(word => ({ text: word, tokenName: '' }));
  it('lets long lists pass', () => {
    expect(nestsTooDeep(tokens(`insert into t values ${'( 1 , 2 , now ( ) ) , '.repeat(5_000)} ( 1 )`))).toBe(false);
    expect(nestsTooDeep(tokens(`select a in ( ${'1 , '.repeat(20_000)} 1 )`))).toBe(false);
  });
  it('finds chains, brackets and unions, also behind commas and in brackets', () => {
    for (const text of [`a ${'+ 1 '.repeat(3_000)}`, '( '.repeat(4_100), `( a , ( b , ${'[ '.repeat(4_000)}`, 'select 1 , 1 union '.repeat(4_100), `f ( 1 , ${'not '.repeat(4_000)}`, ') ] '.repeat(3) + '- '.repeat(4_100), '( a , '.repeat(3_000)]) {
      expect(nestsTooDeep(tokens(text))).toBe(true);
    }
  });
});
