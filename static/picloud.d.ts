// Types of the PiCloud script API. Put this file beside your scripts for an editor's sake; at run time the module
// "picloud" is part of the platform.

/** Any value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A value with what is known of it. */
export interface KvMetadata<T = Json> {
  value: T;
  /** Names one write for ever; give it as ifVersion to overwrite nothing newer. */
  version: number;
  expiresAt: Date | null;
}

/** An entry as list gives it. */
export interface KvEntry<T = Json> extends KvMetadata<T> {
  key: string;
}

/** A page of a collection, in the order of the keys' bytes. */
export interface KvPage<T = Json> {
  items: KvEntry<T>[];
  /** Give it to the next list; null on the last page. */
  cursor: string | null;
}

/** A collection of keys and JSON values. Nothing is stored before the run commits; reads see the run's own writes. */
export interface Collection<T = Json> {
  /** The value, or null. A run that writes commits only if nobody changed it meanwhile; {unchecked: true} opts out. */
  get(key: string, options?: { unchecked?: boolean }): Promise<T | null>;
  /** The value with its version and expiry, or null. */
  getWithMetadata(key: string): Promise<KvMetadata<T> | null>;
  /** Whether the key is there. */
  has(key: string): Promise<boolean>;
  /** Writes a value, up to 256 KiB of JSON. ttl in seconds; ifVersion 0 means that the key must not exist. */
  set(key: string, value: T, options?: { ttl?: number; ifVersion?: number }): Promise<void>;
  /** Deletes a key; false if it was not there. */
  delete(key: string): Promise<boolean>;
  /** Adds to a number, from 0 if the key is missing, and gives the sum. Concurrent runs never lose one. */
  increment(key: string, by?: number): Promise<number>;
  /** Replaces the value by what fn makes of it: undefined changes nothing, null deletes. */
  update(key: string, fn: (value: T | null) => T | null | undefined | Promise<T | null | undefined>): Promise<T | null>;
  /** Lists keys by prefix, 100 a page unless limit says otherwise, at most 1000. */
  list(options?: { prefix?: string; cursor?: string | null; limit?: number }): Promise<KvPage<T>>;
}

/** The app's key-value store. */
export interface Kv {
  /** A collection by its name: letters, digits, : _ and -. */
  collection<T = Json>(name: string): Collection<T>;
}

/** Lines of the execution's log, 1000 lines or 256 KiB a run. console does the same. */
export interface Log {
  /** For what is of interest only while developing. */
  debug(...values: unknown[]): void;
  /** What happened. */
  info(...values: unknown[]): void;
  /** What looks wrong, although the run goes on. */
  warn(...values: unknown[]): void;
  /** What failed. */
  error(...values: unknown[]): void;
}

/** Whom a run acts as. */
export interface Principal {
  username: string;
  kind: "user" | "key" | "registrant";
}

/** What a run knows of itself. */
export interface Context {
  /** Parameters of the route, decoded. */
  params: Record<string, string>;
  /** Work that goes on after the response; a dispatched run waits for it. */
  waitUntil(promise: Promise<unknown>): void;
  /** Id of this execution, as in X-Execution-Id. */
  executionId: string;
  /** Id of the request or event that everything began with. */
  rootExecutionId: string;
  /** How many events lie between the root and this run. */
  depth: number;
  /** Which attempt this is, from 1. */
  attempt: number;
  /** Whom the run acts as, null for an anonymous request. */
  principal: Principal | null;
  /** The caller's Idempotency-Key, else the root event's id: pass it on to services that take one. */
  idempotencyKey: string;
}

/** A key changed. */
export interface KvEvent<T = Json> {
  op: "insert" | "update" | "delete";
  collection: string;
  key: string;
  /** The new value; absent after a delete. */
  value?: T;
  /** The value before; absent after an insert. */
  oldValue?: T;
}

/** A time of a schedule came. */
export interface ScheduledEvent {
  /** The expression of the trigger. */
  cron: string;
  /** The slot, in milliseconds since 1970; a run that is late has it too. */
  scheduledTime: number;
  /** The IANA time zone of the trigger. */
  timezone: string;
}

/** An event of this app became a dead letter. */
export interface DeadLetterEvent<T = Json> {
  /** Id of the dead letter. */
  id: string;
  /** The event that could not be handled. */
  original: T;
  /** How often it was tried. */
  attempts: number;
  /** The last error. */
  error: { name: string; message: string; stack: string };
  /** Id of the trigger, null without one. */
  trigger: string | null;
  /** Name of the script that failed. */
  script: string;
}

/** A dead letter as list gives it. */
export interface DeadLetterHead {
  /** Id of the dead letter. */
  id: string;
  /** How often the event was tried. */
  attempts: number;
  /** The last error. */
  error: { name: string; message: string; stack: string };
  /** Id of the trigger, null without one. */
  trigger: string | null;
  /** Name of the script that failed. */
  script: string;
  /** What kind of event it was. */
  source: "http" | "kv" | "cron" | "dead_letter";
  /** The event's operation: insert, update or delete of a key. */
  op: string;
  /** Why it is a dead letter: failed, infrastructure, refused, trigger deleted, script deleted ... */
  reason: string;
  /** When it became a dead letter. */
  createdAt: Date;
  /** What became of it, null while nobody dealt with it. handler_failed still counts as unresolved. */
  resolution: "replayed" | "ignored" | "handled_by_script" | "handler_failed" | null;
}

/** A dead letter with its event. */
export interface DeadLetter<T = Json> extends DeadLetterHead {
  /** The event that could not be handled. */
  original: T;
}

/** A page of dead letters. */
export interface DeadLetterPage {
  items: DeadLetterHead[];
  /** Give it to the next list; null on the last page. */
  cursor: string | null;
}

/** The app's dead letters. What a run does with them takes effect when it commits, at most 1000 a run. */
export interface DeadLetters {
  /** Lists the unresolved ones, newest first, 100 a page unless limit says otherwise, at most 1000. */
  list(options?: { script?: string; cursor?: string | null; limit?: number }): Promise<DeadLetterPage>;
  /** A dead letter with its event, or null. */
  get<T = Json>(id: string): Promise<DeadLetter<T> | null>;
  /** Sends the event again, or another payload in its place, and gives the new event's id. It counts as caused by this run: chains of them end at the depth limit. */
  replay(id: string, options?: { payload?: unknown }): Promise<string>;
  /** Marks it as ignored, with a reason of up to 1000 characters. */
  resolve(id: string, reason?: string): Promise<void>;
}

/** What an endpoint script exports as default; each handler is optional. */
export interface Handlers<Env = Readonly<Record<string, string>>> {
  /** Answers HTTP. */
  fetch?(request: Request, env: Env, ctx: Context): unknown;
  /** Runs when a key changes that a kv trigger watches. */
  kv?(event: KvEvent, env: Env, ctx: Context): unknown;
  /** Runs at the times of a cron trigger. */
  scheduled?(event: ScheduledEvent, env: Env, ctx: Context): unknown;
  /** Runs when an event became a dead letter that a dead_letter trigger watches. */
  deadLetter?(event: DeadLetterEvent, env: Env, ctx: Context): unknown;
}

/** A KV call was refused; code is "kv". */
export declare class KvError extends Error {
  code: string;
}
/** The key has another version than ifVersion; code is "kv-conflict". */
export declare class KvConflictError extends Error {
  code: string;
}
/** A limit of the platform was reached; code is "limit". */
export declare class LimitError extends Error {
  code: string;
}
/** fetch was refused or failed: a TypeError, also by its name, whose code is "fetch". */
export declare class FetchError extends TypeError {
  code: string;
}

/** A dead letter is not there, or was dealt with already; code is "dead-letter". */
export declare class DeadLetterError extends Error {
  code: string;
}

/** The app's key-value store. */
export declare const kv: Kv;
/** Lines of the execution's log. */
export declare const log: Log;
/** The app's dead letters. */
export declare const deadLetters: DeadLetters;
/** The app's variables and secrets, the same object that handlers get as their second argument. Frozen. */
export declare const env: Readonly<Record<string, string>>;
