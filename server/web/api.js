// Calls of the server's HTTP interface, all on the page's own origin and below the page's own address.

import {recall, remember} from "./dom.js";

const TOKEN_KEY = "bertha.token";
const PATIENCE_MS = 30_000;  // for an answer
const TRIES = 6;
const LONGEST_WAIT_MS = 8_000;

/** What went wrong. `status` is the google.rpc name, or "NETWORK" if no answer came at all. */
export class ApiError extends Error {
  constructor(status, message, {http = 0, retryAfterMs = null} = {}) {
    super(message);
    Object.assign(this, {status, http, retryAfterMs});
  }

  /** The same call may succeed later, without a change. */
  get passing() {
    return this.status === "NETWORK" || this.http === 429 || this.http === 503;
  }
}

/** Milliseconds of a google.protobuf.Duration ("0.020s"); null if it is none. */
export function durationMs(text) {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(text ?? "");
  return match ? Math.ceil(1000 * Number(match[1])) : null;
}

async function errorOf(response) {
  const body = await response.json().then((json) => json?.error, () => null);
  const retry = (body?.details ?? []).find((detail) => String(detail["@type"]).endsWith("google.rpc.RetryInfo"));
  const header = Number(response.headers.get("Retry-After") || NaN);
  const retryAfterMs = durationMs(retry?.retryDelay) ?? (Number.isFinite(header) ? 1000 * header : null);
  const message = body?.message || `The server answered ${response.status} ${response.statusText}`.trim();
  return new ApiError(body?.status ?? `HTTP_${response.status}`, message, {http: response.status, retryAfterMs});
}

/** Tells apart what the caller gave up (AbortError, thrown on) from a network that failed or took too long. */
function networkError(error, signal) {
  if (signal?.aborted) return error;
  const slow = error.name === "TimeoutError";
  return new ApiError("NETWORK", slow ? "The server takes very long to answer." : "The server cannot be reached.");
}

export class Api {
  #token = recall("sessionStorage", TOKEN_KEY);

  /** Called when the server refuses for want of a (good) token. */
  onUnauthorised = () => {};

  setToken(token) {
    this.#token = token;
    remember("sessionStorage", TOKEN_KEY, token);
  }

  models(signal) {
    return this.#json("GET", "v1/models", undefined, signal);
  }

  compare(request, signal) {
    return this.#json("POST", "v1/compare", request, signal);
  }

  recordFeedback(request, signal) {
    return this.#json("POST", "v1/record-feedback", request, signal);
  }

  async metrics(timeoutMs) {
    return (await this.#fetch("GET", "metrics", undefined, undefined, timeoutMs)).text;
  }

  async #json(method, path, body, signal) {
    const {text} = await this.#fetch(method, path, body, signal, PATIENCE_MS);
    try {
      return JSON.parse(text);
    } catch {
      throw new ApiError("INTERNAL", "The server's answer is not JSON.");
    }
  }

  async #fetch(method, path, body, signal, timeoutMs) {
    const timeout = AbortSignal.timeout(timeoutMs);
    const headers = {};
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const options = {method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store"};
    options.signal = signal ? AbortSignal.any([signal, timeout]) : timeout;
    let response, text;
    try {
      response = await fetch(path, options);
      if (response.ok) text = await response.text();
    } catch (error) {
      throw networkError(error, signal);
    }
    if (response.ok) return {text};
    if (response.status === 401) this.onUnauthorised();
    throw await errorOf(response);
  }
}

/** Resolves after `ms`; rejects at once when `signal` aborts. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), {once: true});
  });
}

/** call(), and again after what passes: as long as the server says, else twice as long each time. waiting(error, ms) is told. */
export async function withRetries(call, signal, waiting) {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      if (!error.passing || tried === TRIES) throw error;
      const ms = Math.min(error.retryAfterMs ?? 500 * 2 ** (tried - 1), LONGEST_WAIT_MS);
      waiting(error, ms);
      await sleep(ms, signal);
    }
  }
}
