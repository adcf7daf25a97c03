import { MemoryDeadLetters, describeDeadLetters } from '.';

describeDeadLetters('an array', async () => new MemoryDeadLetters());
