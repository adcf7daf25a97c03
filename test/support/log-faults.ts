import { AuditLog } from './audit-log';
import { causalityFaults, sequenceFaults } from './causality';
import type { Client } from './http';

/** Waits for the end of these workflows in the log, verifies it, and looks for numbers that lack or stand twice and outcomes without decision or start. */
export async function logFaults(admin: Client, workflows: readonly string[], withinMs: number): Promise<string[]> {
  const log = new AuditLog(admin);
  const entries = await log.settled(workflows, withinMs);
  await log.verify(entries);
  const events = entries.map(({ event }) => event);
  return [...causalityFaults(events), ...sequenceFaults([...events, ...(await new AuditLog(admin, 'system').entries()).map(({ event }) => event)])];
}
