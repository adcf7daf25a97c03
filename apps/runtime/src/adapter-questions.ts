import { answerer } from '@aifirst/bus';
import type { AdapterQuestions, ServiceQuery } from '@aifirst/contracts';
import type { ExecutionAdapter, Previewer, UndoPreviewer } from '@aifirst/execution';
import { Refusal } from '@aifirst/kernel';

/** What the adapters of this process offer, and what they think of a connection. */
export function answerForAdapters(query: ServiceQuery, adapters: readonly ExecutionAdapter[]): void {
  const on = answerer<AdapterQuestions>(query, 'adapter-os');
  on('capabilities', () => ({ items: adapters.flatMap(adapter => [...adapter.capabilities()]) }));
  on('probeConnection', async ({ connection }) => {
    const adapter = adapters.find(candidate => candidate.name === connection.adapter);
    if (adapter === undefined) throw new Refusal({ code: 'INVALID_FIELD', pointer: '/adapter', detail: `there is no adapter \`${connection.adapter}\`: use one of ${adapters.map(({ name }) => `\`${name}\``).join(', ')}` });
    const found = await adapter.probeConnection(connection);
    if ('problem' in found) throw new Refusal({ code: 'PROBE_FAILED', pointer: found.pointer, detail: found.problem });
    return { ...found, limitations: [...found.limitations] };
  });
}

/** What a step would do and what taking it back would, from when the service has what calls are made of. */
export function answerForPreviews(query: ServiceQuery, previewer: Previewer, undoPreviewer: UndoPreviewer): void {
  const on = answerer<AdapterQuestions>(query, 'adapter-os');
  on('preview', asked => previewer.preview(asked));
  on('previewUndo', asked => undoPreviewer.preview(asked));
}
