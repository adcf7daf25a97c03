import type { MessageBus } from '@aifirst/bus';

/**
 * `AIFIRST_DROP=<share>`: a bus that loses so large a share of all messages for good, and says nothing. How the tests prove that
 * what is lost costs time alone. Forward and answer, command and fact are lost alike.
 */
export function lossy(bus: MessageBus, share: number): MessageBus {
  return {
    attach: feed => bus.attach(feed), stop: () => bus.stop(), pausing: (group, work) => bus.pausing(group, work),
    subscribe: subscription => bus.subscribe({ ...subscription, handle: ({ deliveries, positions }) => subscription.handle({ deliveries: deliveries.filter(() => Math.random() >= share), positions }) }),
  };
}
