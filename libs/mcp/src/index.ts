export { STILL_RUNNING, type ToolAnswer } from './answers';
export { GovernedTools, UnknownTool, type ToolCall, type ToolHost } from './governed-tools';
export type { Explained, Governance, McpCaller, McpSubmission, TransactionStep } from './governance';
export { McpEndpoint, type McpEndpointOptions, type McpRequest } from './mcp-endpoint';
export { isAllowedOrigin } from './origins';
export type { GatewaySchemas } from './own-tools';
export { toolNames } from './tool-names';
export type { Reachable, Tool, ToolAnnotations } from './tools';
