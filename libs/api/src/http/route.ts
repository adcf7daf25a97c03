import 'reflect-metadata';
import { Req, RequestMapping, RequestMethod, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '@aifirst/identity';
import type { Json, JsonObject } from '@aifirst/kernel';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
/** public: no token. principal: an agent or the administrator. admin: the administrator alone. */
export type Access = 'public' | 'principal' | 'admin';

export interface QueryParameter { readonly description: string; readonly schema: JsonObject; readonly required?: boolean; /** May stand more than once: see `valuesOf`. */ readonly repeats?: boolean }
export interface Answer { readonly description: string; readonly schema?: JsonObject; /** Default `application/json`. */ readonly type?: string; /** The same in another form, as the caller wishes or the answer needs. */ readonly orAs?: string; readonly headers?: Readonly<Record<string, string>> }

/** One entry of the route table: it is served from this and documented from this. */
export interface RouteDefinition {
  readonly method: Method;
  /** With `:name` for a part and `*` for all that follows. */
  readonly path: string;
  /** Name of the operation in openapi.json. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: Access;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON Schema 2020-12. `checkedBy: 'handler'` where admission does it. */
  readonly body?: {
    readonly schema: JsonObject;
    readonly optional?: boolean;
    readonly checkedBy?: 'handler';
    /** Before the schema: refuses options that are not there yet with NOT_IMPLEMENTED, and takes out those that ask for what happens anyway. */
    readonly later?: (body: Json) => Json;
  };
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes of problems that this route has beside those that all have. */
  readonly refusals?: readonly string[];
  /** In place of `path` in openapi.json, where a path can't be written there as it is served. */
  readonly documented?: { readonly path: string; readonly parameters: Readonly<Record<string, string>> };
  /** Not there yet: answered with 501 and this advice, and absent from openapi.json. */
  readonly instead?: string;
}

/** A request as a handler gets it: who calls is known, query and body are checked against the definition. */
export interface Call<B = Json> {
  /** Absent on public routes. */
  readonly caller: Caller;
  /** The credential's, or what the administrator picked. */
  readonly tenant: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: B;
  /** The body as it was sent. */
  readonly raw: Buffer;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** All values of a query parameter that may stand more than once. */
export const valuesOf = (call: Pick<Call, 'request'>, name: string): string[] => {
  const value = (call.request.query as Record<string, string | string[] | undefined>)[name];
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
};

export interface Reply {
  readonly status: number;
  /** JSON unless `type` says otherwise; then a text or bytes. */
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}
/** The handler has answered by itself: a stream. */
export const STREAMED = Symbol('streamed');

export const ok = (body: unknown, headers: Readonly<Record<string, string>> = {}): Reply => ({ status: 200, body, headers });
export const created = (location: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply => ({ status: 201, body, headers: { location, ...headers } });
export const accepted = (location: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply => ({ status: 202, body, headers: { location, ...headers } });
export const noContent: Reply = { status: 204 };

export type Handler = (call: Call<never>) => Promise<Reply | typeof STREAMED> | Reply;
/** What stands between Nest's router and the handlers: put on the Fastify instance as `edge`. */
export interface Serves { serve(definition: RouteDefinition, handler: Handler, request: FastifyRequest, reply: FastifyReply): Promise<void> }

const DEFINITION = 'aifirst:route';

/** Makes a controller's method the handler of a route. */
export function Route(definition: RouteDefinition): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as unknown as Handler;
    // Why: one thin function in place of Nest's pipes, interceptors and filters, which cost more than the route itself.
    (descriptor as TypedPropertyDescriptor<unknown>).value = function (this: unknown, request: FastifyRequest, reply: FastifyReply) {
      return (request.server as unknown as { edge: Serves }).edge.serve(definition, call => handler.call(this, call), request, reply);
    };
    Req()(target, key, 0);
    Res()(target, key, 1);
    Reflect.defineMetadata(DEFINITION, definition, descriptor.value as unknown as object);
    RequestMapping({ path: definition.path, method: RequestMethod[definition.method] })(target, key, descriptor as never);
    RouteConfig({ definition })(target, key, descriptor as never);
  };
}

/** The route table: every route of these controllers, in their order. */
export function routesOf(controllers: readonly (new (...args: never[]) => object)[]): RouteDefinition[] {
  return controllers.flatMap(controller => Object.getOwnPropertyNames(controller.prototype).flatMap(name => {
    const method: unknown = (controller.prototype as Record<string, unknown>)[name];
    const definition = typeof method === 'function' ? Reflect.getMetadata(DEFINITION, method) as RouteDefinition | undefined : undefined;
    return definition === undefined ? [] : [definition];
  }));
}
