import type { MessageBus, Subscription } from '@aifirst/bus';

/** The bus, but that its subscriptions are changed on their way to it. */
export const subscribing = (bus: MessageBus, change: (subscription: Subscription) => Subscription): MessageBus => ({
  attach: feed => bus.attach(feed), stop: () => bus.stop(), pausing: (group, work, key) => bus.pausing(group, work, key),
  subscribe: subscription => bus.subscribe(change(subscription)),
});
