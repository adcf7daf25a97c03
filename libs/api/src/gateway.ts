import 'reflect-metadata';
import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { MessageBus } from '@aifirst/bus';
import type { ServiceQuery } from '@aifirst/contracts';
import { Identity, LogWriter } from '@aifirst/identity';
import { crashPoint, messageOf, type Clock, type Ids } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import type { Vault } from '@aifirst/vault';
import { asyncapi } from './documents/asyncapi';
import { MESSAGES } from './documents/messages';
import { openapi } from './documents/openapi';
import { definitionOf, Edge, type GatewayLogger } from './http/edge';
import { GatewayHttpAdapter } from './http/gateway-http-adapter';
import type { Traced } from './http/traceparent';
import { Capabilities } from './intake/capabilities';
import { IntentIntake } from './intake/intent-intake';
import { IntentTopicIntake, type IntentTopicOptions } from './kafka-intake/intent-topic-intake';
import { McpService } from './mcp/mcp-service';
import { Plans } from './plans/plans';
import { Rollbacks } from './rollbacks/rollbacks';
import { CONTROLLERS, ROUTES } from './routes';
import { EventStreams } from './routes/event-streams';
import { GatewayIds } from './routes/gateway-ids';
import { DeadLetterOffices } from './routes/operations.controller';
import { SystemPages, type ReadinessCheck } from './routes/system.controller';
import { Unsealing } from './routes/unsealing';
import { Tasks } from './tasks/tasks';
import { Transactions } from './transactions/transactions';
import type { CatchUpPace } from './views/catch-up';
import type { BaseOf } from './views/touches';
import { WorkflowProjection } from './views/workflow-projection';
import type { WorkflowViews } from './views/workflow-views';

export interface GatewayDeps {
  /** The gateway's own log, open, and attached to the bus by whoever opened it. */
  readonly log: Log;
  readonly views: WorkflowViews;
  readonly bus: MessageBus;
  readonly query: ServiceQuery;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly adminToken: string;
  /** Asked by `GET /health/ready`, besides the gateway's own parts. */
  readonly readiness: readonly ReadinessCheck[];
  /** Renders `GET /metrics`. */
  readonly metrics: () => Promise<string>;
  readonly logger: GatewayLogger;
  /** Told of every answer, for metrics and spans. Must not throw. */
  readonly onAnswered?: (answer: AnsweredCall) => void;
  /** Of the product, for the documents. */
  readonly version: string;
  /** How long views of ended workflows are kept. Default 90. */
  readonly historyDays?: number;
  /** How long an idempotency key stands for its intent. Default 30. Rows of intents must be kept at least so long. */
  readonly idempotencyDays?: number;
  /** Absent: intents come by HTTP alone. */
  readonly intentTopic?: IntentTopicOptions;
  /** How patiently views wait for what the bus may have lost. Default `CATCH_UP_PACE`. */
  readonly catchUp?: CatchUpPace;
  /** `X-Forwarded-For` is true: whoever serves the requests lets no caller write it. Default false. */
  readonly trustsForwarded?: boolean;
  /** The bus group that follows the facts of workflows. Default `VIEWS_GROUP`; with several copies of the gateway one for each. */
  readonly viewsGroup?: string;
  /** Pages of these origins may speak MCP, besides those of this machine. Default none. */
  readonly mcpOrigins?: readonly string[];
}

/** `route` is the pattern, never the path: ids and names stay out of metrics. `trace`: where the call began a trace of its own. */
export interface AnsweredCall { readonly method: string; readonly route: string; readonly status: number; readonly durationMs: number; readonly trace?: { readonly own: string; readonly parent: string | undefined } }

export interface Gateway {
  readonly app: NestFastifyApplication;
  readonly identity: Identity;
  readonly projection: WorkflowProjection;
  readonly intake: IntentIntake;
  readonly plans: Plans;
  /** null: not taken in here. */
  readonly intentTopic: IntentTopicIntake | null;
  /** Rows that wait for a commit of the gateway's log. */
  queueDepth(): number;
  /** @param port 0: any free one @returns the port */
  listen(port: number, host: string): Promise<number>;
  /** Takes no more, answers what is under way, stores the views. Leaves log, bus and store to whoever opened them. */
  close(): Promise<void>;
}

/** How often policy is told again of principals that it could not be told of. */
const APPLY_RETRY_MS = 500;

const HISTORY_DAYS = 90;
const IDEMPOTENCY_DAYS = 30;
const FORGET_MS = 3_600_000;
const DAY_MS = 86_400_000;

@Module({})
class GatewayModule {}

interface Parts {
  readonly identity: Identity;
  readonly capabilities: Capabilities;
  readonly intake: IntentIntake;
  readonly plans: Plans;
  readonly rollbacks: Rollbacks;
  readonly transactions: Transactions;
  readonly tasks: Tasks;
  readonly projection: WorkflowProjection;
  readonly streams: EventStreams;
  readonly writer: LogWriter;
  readonly intentTopic: IntentTopicIntake | null;
  readonly unsealing: Unsealing;
  readonly mcp: McpService;
}

function partsOf(deps: GatewayDeps): Parts {
  const { log, views, bus, query, vault, clock, ids, adminToken, logger } = deps;
  const writer = new LogWriter(log, { before: () => crashPoint('gateway.intent.before'), after: () => crashPoint('gateway.intent.after') });
  const identity = new Identity({ writer, clock, ids, query, adminToken });
  const { neighbours } = identity;
  const baseOf: BaseOf = (tenant, connection) => identity.connections.find(tenant, connection)?.data.lockBase ?? undefined;
  const projection = new WorkflowProjection({
    views, bus, log, neighbours, clock, logger, baseOf, sendAgain: intents => intake.sendAgain(intents), ...(deps.catchUp === undefined ? {} : { pace: deps.catchUp }), ...(deps.viewsGroup === undefined ? {} : { group: deps.viewsGroup }),
  });
  const capabilities = new Capabilities(neighbours, clock, logger);
  const idempotencyMs = (deps.idempotencyDays ?? IDEMPOTENCY_DAYS) * DAY_MS;
  const unsealing = new Unsealing(vault);
  const tasks = new Tasks({ identity, writer, projection, query, vault, unsealing, clock, ids, logger, historyMs: (deps.historyDays ?? HISTORY_DAYS) * DAY_MS });
  const intake: IntentIntake = new IntentIntake({
    tasks: tasks.claims, identity, writer, capabilities, vault, clock, ids, idempotencyMs, planOf: (principal, id) => plans.runnable(principal, id), onAccepted: intent => projection.addPending(intent),
  });
  const plans = new Plans({ identity, writer, capabilities, vault, clock, ids, logger, intake: () => intake });
  const rollbacks = new Rollbacks({
    neighbours, vault, clock, baseOf, capability: name => capabilities.find(name), touching: filter => projection.touching(filter), all: (tenant, workflows) => projection.all(tenant, workflows),
  });
  const intentTopic = deps.intentTopic === undefined ? null : new IntentTopicIntake(deps.intentTopic, { intake, identity, writer, clock, ids, logger, idempotencyMs });
  const transactions = new Transactions({ identity, intake, projection });
  const mcp = new McpService({ identity, capabilities, intake, plans, projection, transactions, rollbacks, unsealing, vault, clock, ids, logger }, { version: deps.version, origins: deps.mcpOrigins ?? [], ids });
  return { identity, capabilities, intake, plans, rollbacks, transactions, tasks, projection, writer, intentTopic, unsealing, mcp, streams: new EventStreams({ identity, projection, clock, logger }) };
}

/** The gateway as a Nest module: its controllers over parts that are made already. */
function gatewayModule(deps: GatewayDeps, { identity, capabilities, intake, plans, rollbacks, transactions, tasks, projection, streams, intentTopic, unsealing, mcp }: Parts): DynamicModule {
  const documents = { openapi: rendered(() => openapi(ROUTES, deps.version)), asyncapi: rendered(() => asyncapi(MESSAGES, deps.version)) };
  const own: ReadinessCheck[] = [
    { name: 'gateway.capabilities', check: () => (capabilities.isLoaded() ? null : 'the adapters have not said yet what they can do') },
    { name: 'gateway.principals', check: () => (identity.principals.allApplied() ? null : 'policy has not heard of all agents yet') },
    ...(intentTopic === null ? [] : [{ name: 'gateway.intents', check: () => intentTopic.trouble() }]),
  ];
  const provide = <T>(type: Type<T>, value: T): Provider => ({ provide: type, useValue: value });
  return {
    module: GatewayModule,
    controllers: [...CONTROLLERS],
    providers: [
      provide(Identity as Type<Identity>, identity), provide(Capabilities as Type<Capabilities>, capabilities), provide(IntentIntake as Type<IntentIntake>, intake),
      provide(Plans as Type<Plans>, plans), provide(Rollbacks as Type<Rollbacks>, rollbacks), provide(Transactions as unknown as Type<Transactions>, transactions), provide(Tasks as unknown as Type<Tasks>, tasks), provide(WorkflowProjection as Type<WorkflowProjection>, projection), provide(EventStreams as Type<EventStreams>, streams), provide(GatewayIds as Type<GatewayIds>, new GatewayIds(deps.ids)),
      provide(Unsealing as Type<Unsealing>, unsealing), provide(McpService as unknown as Type<McpService>, mcp), provide(DeadLetterOffices as Type<DeadLetterOffices>, new DeadLetterOffices(deps.query)),
      provide(SystemPages as Type<SystemPages>, new SystemPages([...own, ...deps.readiness], deps.metrics, documents)),
    ],
  };
}

/**
 * The gateway service, ready to listen. Reads what it keeps into memory, answers its questions, follows the facts of
 * workflows; tells policy of all agents and asks adapters for their capabilities as soon as these answer.
 */
export async function createGateway(deps: GatewayDeps): Promise<Gateway> {
  const parts = partsOf(deps);
  const { identity, capabilities, intake, plans, tasks, projection, streams, writer, intentTopic, mcp } = parts;
  await identity.load();
  await projection.start();
  await tasks.load();
  await capabilities.start();
  const stopApplying = await keepApplying(deps, identity);
  const stopForgetting = keepForgetting(deps, plans, tasks);
  const edge = new Edge({ identity, clock: deps.clock, ids: deps.ids, logger: deps.logger });
  const app = await NestFactory.create<NestFastifyApplication>(gatewayModule(deps, parts), new GatewayHttpAdapter(edge, ROUTES, deps.trustsForwarded ?? false), { logger: false, bodyParser: false, abortOnError: false });
  const { onAnswered } = deps;
  if (onAnswered !== undefined) {
    app.getHttpAdapter().getInstance().addHook('onResponse', (request, reply, done) => {
      const { trace } = request as Traced;
      onAnswered({ method: request.method, route: definitionOf(request)?.path ?? 'unknown', status: reply.statusCode, durationMs: reply.elapsedTime, ...(trace && { trace }) });
      done();
    });
  }
  app.getHttpAdapter().getInstance().addHook('onResponse', (request, reply, done) => {
    // Why any: roles, policies, agents, connections and switches all bear on what may be called, and are changed rarely.
    if (definitionOf(request)?.access === 'admin' && request.method !== 'GET' && reply.statusCode < 300) mcp.toolsChanged();
    done();
  });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  const gateway: Gateway = {
    app, identity, projection, intake, plans, intentTopic,
    queueDepth: () => writer.depth(),
    async listen(port, host) {
      await app.listen(port, host);
      const address = (app.getHttpServer() as import('node:http').Server).address();
      return typeof address === 'object' && address !== null ? address.port : port;
    },
    async close() {
      await intentTopic?.stop();
      stopApplying();
      stopForgetting();
      capabilities.stop();
      streams.endAll();
      mcp.end();
      tasks.end();
      projection.release();
      await mcp.close();
      await app.close();
      identity.refusals.flush();
      await writer.idle();
      await projection.stop();
    },
  };
  await intentTopic?.start().catch(async (error: unknown) => { await gateway.close(); throw error; });
  return gateway;
}

async function keepApplying({ clock, logger }: GatewayDeps, identity: Identity): Promise<() => void> {
  let stopped = false;
  let cancel: () => void = () => {};
  const apply = async (): Promise<void> => {
    try {
      await identity.principals.applyAll();
    } catch (error) {
      logger.warn('policy could not be told of all agents', { error: messageOf(error) });
    }
    if (!stopped) cancel = clock.after(APPLY_RETRY_MS, () => { void apply(); });
  };
  await apply();
  return () => { stopped = true; cancel(); };
}

/** Nothing grows for ever. */
function keepForgetting({ views, clock, logger, historyDays = HISTORY_DAYS }: GatewayDeps, plans: Pick<Plans, 'forget'>, tasks: Pick<Tasks, 'forget'>): () => void {
  let stopped = false;
  let cancel: () => void = () => {};
  const forget = async (): Promise<void> => {
    try {
      const before = new Date(clock.now() - historyDays * DAY_MS).toISOString();
      while (!stopped && await views.forget(before) > 0);
    } catch (error) {
      logger.warn('old views could not be removed', { error: messageOf(error) });
    }
    await plans.forget().catch((error: unknown) => { logger.warn('old plans could not be removed', { error: messageOf(error) }); });
    await tasks.forget().catch((error: unknown) => { logger.warn('old tasks could not be removed', { error: messageOf(error) }); });
    wait();
  };
  const wait = (): void => { if (!stopped) cancel = clock.after(FORGET_MS, () => { void forget(); }); };
  wait();
  return () => { stopped = true; cancel(); };
}

/** Rendered when it is asked for first. */
function rendered(document: () => object): () => string {
  let text: string | undefined;
  return () => (text ??= JSON.stringify(document()));
}
