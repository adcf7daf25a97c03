import canonicalize from 'canonicalize';
import type { Body, Client } from './http';
import { inclusionRoot, isConsistent, leafHash, rootOf } from './merkle';
import { openCheckpoint, type Checkpoint } from './note';
import { until } from './wait';

export interface AuditedEvent { readonly id: string; readonly type: string; readonly subject: string; readonly tenant: string; readonly causationid?: string; readonly producer: string; readonly sequence: number; readonly data: Body }
export interface Entry { readonly index: number; readonly leafHash: string; readonly event: AuditedEvent }

/** A tenant's log as its administrator sees it. */
export class AuditLog {
  private readonly read: Entry[] = [];
  private cursor: string | null = null;

  constructor(private readonly admin: Client, private readonly tenant = 'default') {}

  private at(path: string): string { return `${path}${path.includes('?') ? '&' : '?'}tenant=${this.tenant}`; }

  /** All of them. What was read before is not read again: the log only grows, which is checked by the root that is signed. */
  async entries(): Promise<Entry[]> {
    for (;;) {
      const page: Body = await this.admin.must(200, 'GET', this.at(`/v1/audit/entries?limit=200${this.cursor === null ? '' : `&cursor=${encodeURIComponent(this.cursor)}`}`));
      if (page.next === null) return [...this.read, ...page.items];
      this.read.push(...page.items);
      this.cursor = page.next;
    }
  }

  async checkpoint(): Promise<Checkpoint> { return openCheckpoint(await this.admin.must(200, 'GET', this.at('/v1/audit/checkpoint')), await this.keys()); }
  async keys(): Promise<string[]> { return (await this.admin.must(200, 'GET', this.at('/v1/audit/keys'))).items.map((key: Body) => key.vkey); }

  /** Waits until all these workflows' ends are in the log and a checkpoint covers them. @returns all entries */
  async settled(workflows: readonly string[], withinMs = 30_000): Promise<Entry[]> {
    return until(`the log holds the end of all ${workflows.length} workflows`, async () => {
      const entries = await this.entries();
      const ended = new Map(entries.filter(({ event }) => event.type === 'aifirst.workflow.workflow-ended.v1').map(entry => [entry.event.subject, entry]));
      const missing = workflows.filter(id => !ended.has(id));
      if (missing.length > 0) throw new Error(`${missing.length} are missing, such as ${missing[0]}`);
      const { size } = await this.checkpoint();
      const uncovered = workflows.filter(id => ended.get(id)!.index >= size);
      if (uncovered.length > 0) throw new Error(`the checkpoint of size ${size} does not cover ${uncovered.length} of them`);
      return entries;
    }, withinMs, 250);
  }

  /** Every entry's leaf is that of its event, and together they have the root that is signed. @returns the signed checkpoint */
  async verify(entries?: readonly Entry[]): Promise<Checkpoint> {
    const checkpoint = await this.checkpoint();
    const all = entries !== undefined && entries.length >= checkpoint.size ? entries : await this.entries();
    const leaves = all.map(({ index, leafHash: said, event }, at) => {
      if (index !== at) throw new Error(`entry ${at} has index ${index}`);
      const computed = leafHash(Buffer.from(canonicalize(event)!));
      if (!hashOf(said).equals(computed)) throw new Error(`entry ${index} (${event.type}) has leaf hash ${said}; its event's is ${computed.toString('base64')}`);
      return computed;
    });
    if (leaves.length < checkpoint.size) throw new Error(`the checkpoint counts ${checkpoint.size} entries, the log shows ${leaves.length}`);
    const root = rootOf(leaves, 0, checkpoint.size);
    if (!root.equals(checkpoint.root)) throw new Error(`the entries' root at ${checkpoint.size} is ${root.toString('base64')}, signed is ${checkpoint.root.toString('base64')}`);
    return checkpoint;
  }

  async verifyInclusion(entry: Entry, { size, root }: Checkpoint): Promise<void> {
    const proof = await this.admin.must(200, 'GET', this.at(`/v1/audit/proofs/inclusion?index=${entry.index}&size=${size}`));
    const led = inclusionRoot(leafHash(Buffer.from(canonicalize(entry.event)!)), entry.index, size, proof.hashes.map(fromBase64));
    if (led === null || !led.equals(root)) throw new Error(`the proof of entry ${entry.index} at ${size} does not lead to the signed root`);
  }

  async verifyConsistency(earlier: Checkpoint, later: Checkpoint): Promise<void> {
    const proof = await this.admin.must(200, 'GET', this.at(`/v1/audit/proofs/consistency?from=${earlier.size}&to=${later.size}`));
    if (!isConsistent(earlier.size, earlier.root, later.size, later.root, proof.hashes.map(fromBase64))) throw new Error(`the log at ${later.size} does not begin with the log at ${earlier.size}`);
  }
}

const fromBase64 = (text: string): Buffer => Buffer.from(text, 'base64');
const hashOf = (text: string): Buffer => (/^(sha256:)?[0-9a-f]{64}$/.test(text) ? Buffer.from(text.replace('sha256:', ''), 'hex') : fromBase64(text));
