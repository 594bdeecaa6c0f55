/** Requests that are sent again when their answer was lost, or when the service asks for it. */
import { UnreachableError } from "./errors.js";

export type Fetch = (request: Request) => Promise<Response>;

const RETRIED = new Set([408, 429, 502, 503, 504]);
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** Return a `fetch` that repeats what is safe to repeat. */
export function retrying(fetch: Fetch, maxRetries: number): Fetch {
  return async (request) => {
    const isSafe = request.method === "GET" || request.headers.has("idempotency-key");
    for (let attempt = 0; ; attempt += 1) {
      const isLast = !isSafe || attempt >= maxRetries;
      let waitMs = FIRST_WAIT_MS * 2 ** attempt * (0.75 + Math.random() / 2);
      try {
        // The body of a request can be read once: each attempt but the last gets a copy.
        const response = await fetch(isLast ? request : request.clone());
        if (isLast || !wantsRetry(response)) return response;
        const asked = Number(response.headers.get("retry-after") ?? Number.NaN) * 1000;
        if (asked > LONGEST_WAIT_MS) return response;
        if (Number.isFinite(asked)) waitMs = Math.max(waitMs, asked);
        await response.body?.cancel();
      } catch (error) {
        if (request.signal.aborted) throw error;
        if (isLast) throw new UnreachableError(`no answer from ${request.url}`, { cause: error });
      }
      await pause(Math.min(waitMs, LONGEST_WAIT_MS), request.signal);
    }
  };
}

/** Wait; an abort ends it with the signal's reason. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

function wantsRetry(response: Response): boolean {
  return RETRIED.has(response.status) && response.headers.get("x-should-retry") !== "false";
}
