import { AgentsController } from './agents.controller';
import { AuditController } from './audit.controller';
import { CapabilitiesController } from './capabilities.controller';
import { ConnectionsController } from './connections.controller';
import { IntentsController } from './intents.controller';
import { KillSwitchesController } from './kill-switches.controller';
import { LaterController } from './later.controller';
import { McpController } from '../mcp/mcp.controller';
import { OperationsController } from './operations.controller';
import { PlansController } from './plans.controller';
import { PoliciesController } from './policies.controller';
import { RolesController } from './roles.controller';
import { SystemController } from './system.controller';
import { TasksController } from './tasks.controller';
import { TenantsController } from './tenants.controller';
import { TransactionsController } from './transactions.controller';
import { WorkflowsController } from './workflows.controller';
import { routesOf } from '../http/route';

export const CONTROLLERS = [
  IntentsController, PlansController, WorkflowsController, TransactionsController, TasksController, CapabilitiesController, AgentsController, TenantsController, ConnectionsController, RolesController, PoliciesController,
  KillSwitchesController, AuditController, OperationsController, McpController, SystemController, LaterController,
];

/** Everything that is served, what is not there yet included. */
export const ROUTES = routesOf(CONTROLLERS);
