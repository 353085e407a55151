/** The part of Cloudflare's API that the worker uses. Cloudflare's types would replace Node's in the whole project. */
declare module "cloudflare:workers" {
  export abstract class DurableObject<Env> {
    protected readonly ctx: DurableObjectState;
    protected readonly env: Env;
    constructor(ctx: DurableObjectState, env: Env);
  }

  export interface SqlCursor extends Iterable<Record<string, unknown>> {
    toArray(): Record<string, unknown>[];
  }

  export interface DurableObjectState {
    readonly storage: {
      readonly sql: {
        exec(query: string, ...bindings: (string | number | null)[]): SqlCursor;
      };
      transactionSync<Result>(work: () => Result): Result;
      getAlarm(): Promise<number | null>;
      setAlarm(at: number): Promise<void>;
    };
    blockConcurrencyWhile<Result>(work: () => Promise<Result>): Promise<Result>;
    waitUntil(work: Promise<unknown>): void;
    acceptWebSocket(socket: ServerWebSocket): void;
    getWebSockets(): ServerWebSocket[];
    setWebSocketAutoResponse(pair: WebSocketRequestResponsePair): void;
    /** When the automatic response was last sent; null if never. */
    getWebSocketAutoResponseTimestamp(socket: ServerWebSocket): Date | null;
  }

  export interface DurableObjectNamespace {
    idFromName(name: string): unknown;
    get(id: unknown): Fetcher;
  }

  export interface Fetcher {
    fetch(input: Request | string, init?: RequestInit): Promise<Response>;
  }

  export interface ServerWebSocket {
    send(message: string | Uint8Array<ArrayBuffer>): void;
    close(code?: number, reason?: string): void;
    serializeAttachment(value: unknown): void;
    deserializeAttachment(): unknown;
  }
}

type ServerWebSocket = import("cloudflare:workers").ServerWebSocket;

declare class WebSocketRequestResponsePair {
  constructor(request: string, response: string);
}

declare const WebSocketPair: new () => { readonly 0: WebSocket; readonly 1: ServerWebSocket };
