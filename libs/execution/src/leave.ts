import type { Lease } from '@aifirst/contracts';
import { digestOf, leaseIsSealed } from '@aifirst/vault';
import type { Job, ReceivedCommand } from './step-commands';

/** What holds a tenant's forward steps, as this process last heard it from policy. */
export interface ControlView {
  /** null: never heard of. `asOf`: when that answer was true, by this process' clock (ms since 1970). */
  epochOf(tenant: string): { readonly epoch: number; readonly asOf: number } | null;
  /** Called after each refresh; without it held commands are looked at every `RECHECK_MS`. */
  onRefreshed?(listener: () => void): () => void;
}

/** An older control state holds every forward step. */
export const CONTROL_AGE_MS_MAX = 2_000;

/** `granted`; `hold`: not known now; else why not. */
export type Leave = 'granted' | 'hold' | { readonly refused: string };

/** Does the seal fit this very command? The fields are taken from the command, so that a lease fits no other. */
export function sealHolds(serviceKey: Buffer, received: ReceivedCommand): boolean {
  const { tenant, direction, lease, command } = received;
  return leaseIsSealed(serviceKey, {
    direction, tenant, workflow: command.workflow, step: command.step, index: command.index, generation: command.generation, agent: command.agent.id, capability: command.capability,
    connection: command.connection, inputDigest: digestOf(command.input),
    policyVersion: lease.policyVersion, controlEpoch: lease.controlEpoch, expiresAt: lease.expiresAt, ...(command.phase === undefined ? {} : { phase: command.phase }),
  }, lease.mac);
}

/**
 * May it begin now? A forward lease ends with its time and with its control epoch; so does an undo lease that has an
 * expiry (a requested rollback). One without (recorded with the forward decision) holds always: undo is not to be stopped.
 */
export function leaveOf({ tenant, direction }: Job, lease: Lease, control: ControlView, nowMs: number): Leave {
  if (direction === 'undo' && lease.expiresAt === 0) return 'granted';
  if (lease.expiresAt <= nowMs) return { refused: 'the lease is over' };
  const known = control.epochOf(tenant);
  if (known !== null && known.epoch > lease.controlEpoch) return { refused: 'the control epoch has moved' };
  // Why: a lease from a later epoch than the one known shows that what is known is out of date, however young it is.
  if (known === null || nowMs - known.asOf > CONTROL_AGE_MS_MAX || known.epoch < lease.controlEpoch) return 'hold';
  return 'granted';
}
