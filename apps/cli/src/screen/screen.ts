import type { Surroundings } from '../exit';
import { shownOf, type Cell } from './shown';
import { jsonOf, yamlOf } from './structured';
import { table, type Column } from './table';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** As Node decides it for its own: FORCE_COLOR before NO_COLOR before what the stream is. */
export function hasColours(env: Surroundings['env'], isTerminal: boolean): boolean {
  const force = env['FORCE_COLOR'];
  if (force !== undefined) return force !== '0' && force !== 'false';
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb') return false;
  return isTerminal;
}

/** Where everything is shown: documents for programs, lines for people. Nothing gets here that is not made safe. */
export class Screen {
  readonly #colours: { readonly out: boolean; readonly err: boolean };
  /** Columns of the terminal; null: it is none, nothing is cut. */
  readonly width: number | null;

  constructor(private readonly surroundings: Surroundings, readonly format: Format) {
    const { env, terminal } = surroundings;
    this.#colours = { out: hasColours(env, terminal?.out === true), err: hasColours(env, terminal?.err === true) };
    this.width = terminal?.out === true ? terminal.columns ?? null : null;
  }

  get isForPeople(): boolean { return this.format === 'table'; }

  line(...lines: readonly Cell[]): void { for (const one of lines) this.surroundings.out(`${shownOf(one).render(this.#colours.out)}\n`); }
  /** Beside the result: standard error. */
  note(...lines: readonly Cell[]): void { for (const one of lines) this.surroundings.err(`${shownOf(one).render(this.#colours.err)}\n`); }
  /** What happens meanwhile: is not mixed with a document. */
  live(...lines: readonly Cell[]): void { if (this.isForPeople) this.line(...lines); else this.note(...lines); }
  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void { this.line(...table(columns, rows, this.width)); }

  /** For programs; for people as YAML. */
  document(value: unknown): void { this.surroundings.out(this.format === 'json' ? `${jsonOf(value)}\n` : yamlOf(value)); }
  /** One of several: JSON a line each, YAML with `---` between. */
  item(value: unknown): void { this.surroundings.out(this.format === 'json' ? `${jsonOf(value, 0)}\n` : `---\n${yamlOf(value)}`); }
}
