import { answerer } from '@aifirst/bus';
import type { AdapterHost, AdapterQuestions, AskedUndoPreview, ServiceQuery, UndoPreviewAnswer } from '@aifirst/contracts';
import { offeredBy, type ExecutionAdapter, type Previewer } from '@aifirst/execution';
import { Refusal } from '@aifirst/kernel';

/** What the adapters of a service offer, and what they think of a connection. */
export function answerForAdapters(query: ServiceQuery, host: AdapterHost, adapters: readonly ExecutionAdapter[]): void {
  const on = answerer<AdapterQuestions>(query, host);
  on('capabilities', () => ({ items: offeredBy(adapters) }));
  on('probeConnection', async ({ connection }) => {
    const adapter = adapters.find(candidate => candidate.name === connection.adapter);
    if (adapter === undefined) throw new Refusal({ code: 'INVALID_FIELD', pointer: '/adapter', detail: `there is no adapter \`${connection.adapter}\`: use one of ${adapters.map(({ name }) => `\`${name}\``).join(', ')}` });
    const found = await adapter.probeConnection(connection);
    if ('problem' in found) throw new Refusal({ code: 'PROBE_FAILED', pointer: found.pointer, detail: found.problem });
    return { ...found, limitations: [...found.limitations] };
  });
}

/** What a step would do and what taking it back would, from when the service has what calls are made of. */
export function answerForPreviews(query: ServiceQuery, host: AdapterHost, previewer: Previewer, previewUndo: (asked: AskedUndoPreview) => Promise<UndoPreviewAnswer>): void {
  const on = answerer<AdapterQuestions>(query, host);
  on('preview', asked => previewer.preview(asked));
  on('previewUndo', previewUndo);
}
