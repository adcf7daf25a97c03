import { MemoryWorkflowViews } from '../testing';
import { workflowViewsContract } from './workflow-views.contract';

describe('views in memory', () => {
  const views = new MemoryWorkflowViews();
  workflowViewsContract(() => views);
});
