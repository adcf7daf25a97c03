import { ChaoticMessageBus, describeMessageBus } from '.';

describeMessageBus('the chaotic bus that only delays and reorders', {
  async start({ deadLetters, onStopped }) {
    let state = 7;
    const chance = () => { state = (state * 1_103_515_245 + 12_345) % 2_147_483_648; return state / 2_147_483_648; };
    const schedule = (callback: () => void, delayMs: number) => { setTimeout(callback, Math.min(delayMs, 3)); };
    const bus = new ChaoticMessageBus({ schedule, chance, deadLetters: () => deadLetters, onStopped, chaos: { delayMsMax: 3 } });
    return { bus, another: async () => bus, stop: () => bus.stop() };
  },
});
