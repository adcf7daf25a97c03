import type { AuditQuestions, CloudEvent } from '@aifirst/contracts';
import { Refusal } from '@aifirst/kernel';
import { canonicalJson, quoted } from '../domain/canonical-json';
import { originOf } from '../domain/checkpoint';
import type { NoteSigner } from '../note-signer';
import type { LogReader, Tenants } from './log-reader';

export const EXPORT_FORMAT = 'aifirst-audit-export/1';
/** One document is made and read in memory; more is taken in several, by time. */
const ENTRIES_MAX = 500_000;
const CHARACTERS_MAX = 256 * 1024 * 1024;
/** Of those within the range; the one before it and the newest are always there. */
const CHECKPOINTS_MAX = 64;

const CHECKPOINTS = `WITH mine AS (SELECT size, note FROM checkpoint WHERE tenant = $1 AND size <= $4 AND starts_with(note, $5)),
    inside AS (SELECT size, note, row_number() OVER (ORDER BY size) AS place, count(*) OVER () AS many FROM mine WHERE size > $2 AND size <= $3)
  (SELECT size, note FROM mine WHERE size <= $2 AND size > 0 ORDER BY size DESC LIMIT 1)
  UNION ALL (SELECT size, note FROM inside WHERE place % greatest(1, many / $6) = 0 OR place = many)
  UNION ALL (SELECT size, note FROM mine WHERE size > $3 ORDER BY size DESC LIMIT 1)
  ORDER BY size`;

/**
 * All that a stranger needs to check a part of a log, in one file: entries, the hashes around them, signed checkpoints, keys;
 * a JCS document, a newline, and a signature line over every byte before it.
 */
export class Exporter {
  constructor(private readonly store: Tenants, private readonly reader: LogReader, private readonly deployment: string, private readonly signer: NoteSigner) {}

  /** @throws Refusal NOT_FOUND (nothing is signed yet), TOO_LARGE */
  async export({ tenant, from, to }: AuditQuestions['export'][0]): Promise<AuditQuestions['export'][1]> {
    const newest = await this.reader.checkpoint(tenant);
    if (newest === null) throw new Refusal({ code: 'NOT_FOUND', detail: 'the log has no checkpoint yet' });
    const span = from === undefined && to === undefined ? { begin: 0, end: newest.size } : await this.reader.span(tenant, from, to);
    const begin = Math.min(span?.begin ?? newest.size, newest.size);
    const end = Math.min(span?.end ?? newest.size, newest.size);
    if (end - begin > ENTRIES_MAX) throw tooLarge(`${end - begin} entries`);
    const { entries, producers } = await this.#entries(tenant, begin, end);
    const origin = originOf(this.deployment, tenant);
    const checkpoints = await this.store.withTenant(tenant, reader =>
      reader.query<{ size: string; note: string }>(CHECKPOINTS, [tenant, begin, end, newest.size, `${origin}\n`, CHECKPOINTS_MAX]));
    const [first, last] = [Number(checkpoints[0]?.size ?? 0), Number(checkpoints.at(-1)?.size ?? 0)];
    if (last !== newest.size) throw new Refusal({ code: 'NOT_FOUND', detail: 'the log has no checkpoint under this deployment\'s name yet' });
    const consistency = first < last ? [await this.reader.consistencyProof({ tenant, from: first, to: last })] : [];
    const rest = {
      first: begin, format: EXPORT_FORMAT, from: from ?? null, keys: (await this.reader.keys(tenant)).items, origin, producers,
      proofs: { consistency, range: { left: await this.reader.nodes(tenant, { begin: 0, end: begin }), right: await this.reader.nodes(tenant, { begin: end, end: newest.size }) } },
      size: newest.size, tenant, to: to ?? null,
    };
    // Why by hand: the entries' texts are canonical as they are stored, and `checkpoints` and `entries` sort before all else.
    const text = `{"checkpoints":${canonicalJson(checkpoints.map(({ note }) => note))},"entries":[${entries}],${canonicalJson(rest as never).slice(1)}\n`;
    return { document: text + this.signer.line(origin, text) };
  }

  async #entries(tenant: string, begin: number, end: number) {
    const producers: Record<string, { first: number; last: number }> = {};
    const texts: string[] = [];
    let characters = 0;
    for await (const { index, leafHash, text } of this.reader.range(tenant, begin, end)) {
      const { producer, sequence } = JSON.parse(text) as CloudEvent;
      const known = (producers[producer] ??= { first: sequence!, last: sequence! });
      known.last = sequence!;
      texts.push(`{"event":${text},"index":${index},"leafHash":${quoted(leafHash)}}`);
      characters += text.length;
      if (characters > CHARACTERS_MAX) throw tooLarge(`more than ${CHARACTERS_MAX} characters`);
    }
    return { entries: texts.join(','), producers };
  }
}

const tooLarge = (what: string): Refusal => new Refusal({ code: 'TOO_LARGE', detail: `the export would hold ${what}: take it in parts, with \`from\` and \`to\`` });
