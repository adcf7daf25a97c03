import { isObject, type JsonObject } from '@aifirst/kernel';
import type { AgentEntry } from '@aifirst/identity';
import { headerText, readCloudEvent, type ReceivedEvent, type Unreadable } from './cloud-event-reader';
import { verifyDetached } from './detached-jws';
import type { RawRecord } from './raw-topic';

/** What a record came to. */
export type Verdict =
  | VerifiedIntent
  /** `agent` is null where there is none by that `source`: then nobody is answered. */
  | RefusedRecord
  | Unreadable;
export interface VerifiedIntent {
  readonly kind: 'intent';
  readonly agent: AgentEntry;
  /** The CloudEvent's `id`: the idempotency key. */
  readonly id: string;
  /** Of the key that signed. */
  readonly kid: string;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly traceparent: string | undefined;
}
export interface RefusedRecord {
  readonly kind: 'refused';
  readonly agent: AgentEntry | null;
  /** As received, at most 2,000 characters. */
  readonly source: string;
  /** null: none that could be an idempotency key. */
  readonly id: string | null;
  readonly code: string;
  readonly detail: string;
  readonly traceparent: string | undefined;
}

export interface VerifierOptions {
  readonly findAgent: (id: string) => AgentEntry | null;
  /** What `aud` must be: the deployment's name. */
  readonly deployment: string;
  /** How far `time` may lie from the record's append time, either way. */
  readonly freshnessMs: number;
}

export const SUBMITTED = 'aifirst.intent.submitted.v1';
export const SIGNATURE_HEADER = 'aifirst-signature';
/** Each must be in the protected header's `ce`. */
const BOUND = ['id', 'source', 'type', 'time'] as const;
const ID = /^[\x20-\x7e]{1,255}$/;

/**
 * Whether a record is an intent that its agent signed for this deployment, lately. Time is the record's append time
 * throughout, never ours, so that what waited for us is as fresh as when it came. Whether the agent may still send is
 * judged as it now is: what a key signed that has been revoked since is refused.
 */
export async function verifyRecord(record: RawRecord, options: VerifierOptions): Promise<Verdict> {
  const read = readCloudEvent(record);
  if (read.kind === 'unreadable') return read;
  const { event } = read;
  const { source, id } = event.attributes as Readonly<Record<string, string>> & { readonly source: string };
  const agent = options.findAgent(source);
  const traceparent = event.attributes['traceparent'] ?? textOrUndefined(record, 'traceparent');
  const refused = (code: string, detail: string): RefusedRecord =>
    ({ kind: 'refused', agent, source, id: id !== undefined && ID.test(id) ? id : null, code, detail, traceparent });

  if (agent === null) return refused('UNKNOWN_AGENT', 'there is no agent of this `source`');
  if (event.defect !== null) return refused(event.defect.code, event.defect.detail);
  if (event.attributes['type'] !== SUBMITTED) return refused('WRONG_TYPE', `\`type\` is not \`${SUBMITTED}\``);
  if (!ID.test(id!)) return refused('INVALID_EVENT', '`id` is 1 to 255 printable ASCII characters');
  if (record.timestampType !== 'LogAppendTime') return refused('NO_APPEND_TIME', 'the record does not bear the time at which the broker appended it');
  const signature = headerText(record, SIGNATURE_HEADER);
  if (signature.kind === 'absent') return refused('UNSIGNED', `header \`${SIGNATURE_HEADER}\` is missing`);
  if (signature.kind === 'wrong' || signature.text === '') return refused('BAD_SIGNATURE', `header \`${SIGNATURE_HEADER}\` stands more than once, is empty or is not UTF-8`);
  const verified = await verifyDetached(signature.text, record.value ?? Buffer.alloc(0), agent.data);
  if (!verified.ok) return refused(verified.code, verified.detail);
  const wrong = wrongClaim(verified.header, event, options.deployment) ?? staleness(record, event, options.freshnessMs);
  if (wrong !== null) return refused(wrong.code, wrong.detail);
  if (agent.data.suspended) return refused('AGENT_SUSPENDED', 'this agent is suspended: an administrator can resume it');
  return { kind: 'intent', agent, id: id!, kid: verified.kid, data: event.data!, attributes: event.attributes, traceparent };
}

interface Wrong { readonly code: string; readonly detail: string }

function wrongClaim({ aud, ce }: JsonObject, { attributes }: ReceivedEvent, deployment: string): Wrong | null {
  if (aud !== deployment) return { code: 'WRONG_AUDIENCE', detail: '`aud` of the protected header is not the name of this deployment' };
  const bound = isObject(ce) ? ce : {};
  // Why all that stand there: a signer may bind more than it must, such as `expirytime`.
  const names = new Set([...BOUND, ...Object.keys(bound)]);
  for (const name of names) {
    const expected = Object.hasOwn(bound, name) ? bound[name] : undefined;
    if (typeof expected !== 'string' || attributes[name] !== expected) {
      return { code: 'ATTRIBUTE_MISMATCH', detail: `\`ce\` of the protected header has not the \`${/^[a-z0-9]{1,64}$/.test(name) ? name : '…'}\` that was received` };
    }
  }
  return null;
}

function staleness({ timestamp }: RawRecord, { attributes }: ReceivedEvent, freshnessMs: number): Wrong | null {
  const time = parseTime(attributes['time']!);
  if (time === null) return { code: 'INVALID_EVENT', detail: '`time` is no time of RFC 3339' };
  if (timestamp - time > freshnessMs) return { code: 'STALE', detail: `\`time\` is more than ${freshnessMs / 1000} s before the record was appended` };
  if (time - timestamp > freshnessMs) return { code: 'FROM_THE_FUTURE', detail: `\`time\` is more than ${freshnessMs / 1000} s after the record was appended` };
  const text = attributes['expirytime'];
  if (text === undefined) return null;
  const expiry = parseTime(text);
  if (expiry === null) return { code: 'INVALID_EVENT', detail: '`expirytime` is no time of RFC 3339' };
  return timestamp < expiry ? null : { code: 'EXPIRED', detail: '`expirytime` was over when the record was appended' };
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,18})?([Zz]|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970, or null where the text is no time of RFC 3339. A leap second counts as the second after it. */
export function parseTime(text: string): number | null {
  const found = RFC3339.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const zone = found[8]!.toUpperCase();
  const [zoneHour, zoneMinute] = zone === 'Z' ? [0, 0] : [Number(zone.slice(1, 3)), Number(zone.slice(4))];
  if (month < 1 || month > 12 || day < 1 || day > new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate() || hour > 23 || minute > 59 || second > 60 || zoneHour > 23 || zoneMinute > 59) return null;
  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day);
  local.setUTCHours(hour, minute, second, Math.floor(Number(`0${found[7] ?? '.0'}`) * 1000));
  return local.getTime() - (zone[0] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute) * 60_000;
}

function textOrUndefined(record: RawRecord, name: string): string | undefined {
  const header = headerText(record, name);
  return header.kind === 'text' ? header.text : undefined;
}
