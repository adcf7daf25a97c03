import { existsSync } from 'node:fs';
import type { MessageBus } from '@aifirst/bus';
import { subscribing } from './subscribing';

/**
 * `AIFIRST_DROP=<share>[:<file>]`: a bus that loses so large a share of all messages for good, and says nothing, as long as the
 * file is there. How the tests prove that what is lost costs time alone. Commands and facts are lost alike.
 */
export function lossy(bus: MessageBus, setting: string | undefined): MessageBus {
  if (setting === undefined || setting === '') return bus;
  const [share, file] = [Number.parseFloat(setting), setting.split(':')[1]];
  const isLost = (): boolean => Math.random() < share && (file === undefined || existsSync(file));
  return subscribing(bus, subscription => ({ ...subscription, handle: ({ deliveries, positions }) => subscription.handle({ deliveries: deliveries.filter(() => !isLost()), positions }) }));
}
