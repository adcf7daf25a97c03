import { EmbeddedMessageBus } from './embedded-message-bus';
import { describeMessageBus, impatientClock } from './testing';

describeMessageBus('the embedded bus', {
  async start({ deadLetters, onStopped }) {
    const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => deadLetters, onStopped, queueRowsMax: 2_000 });
    return { bus, another: async () => bus, stop: () => bus.stop() };
  },
});
