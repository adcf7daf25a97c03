export { createGateway, type AnsweredCall, type Gateway, type GatewayDeps } from './gateway';
export type { GatewayLogger } from './http/edge';
export type { ReadinessCheck } from './routes/system.controller';
export type { ViewFilter, ViewPlace, ViewRow, WorkflowViews } from './views/workflow-views';
export { foldView, pendingView } from './views/fold-view';
export { VIEWS_GROUP, WorkflowProjection } from './views/workflow-projection';
export { PostgresWorkflowViews, type PostgresWorkflowViewsOptions } from './views/postgres-workflow-views';
export { GATEWAY_MIGRATIONS } from './views/view-migrations';
