/** The client: every operation typed by the OpenAPI document, and what belongs around them. */
import createFetchClient, { type Client, type Middleware } from "openapi-fetch";
import {
  ApiError,
  DownloadError,
  JobFailedError,
  WaitTimeoutError,
  readError,
  type Job,
  type Problem,
} from "./errors.js";
import { readEvents } from "./events.js";
import { pause, retrying, type Fetch } from "./retries.js";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
export type Progress = Schemas["ProgressEventView"];
export type ImageFields = Schemas["ImageFields"];
export type VideoFields = Schemas["VideoFields"];
export type Output = Schemas["OutputView"];

export interface ClientOptions {
  /** Such as `http://localhost:8000`. */
  baseUrl: string;
  apiKey: string;
  /** Of messages for people: `zh` or `en`. */
  language?: string;
  /** How often a request is repeated whose answer was lost; 3 if left out. */
  maxRetries?: number;
  /** In place of the one of the platform. */
  fetch?: Fetch;
}

export interface SubmitOptions {
  /** The same key finds the same job; a new one for each call if left out. */
  idempotencyKey?: string;
  /** A deadline such as `90s`. */
  cancelAfter?: string;
  signal?: AbortSignal;
}

export interface WaitOptions {
  onProgress?: (progress: Progress) => void;
  /** Of waiting; the job goes on. Without it there is none. */
  timeoutSeconds?: number;
  signal?: AbortSignal;
}

export type JobEvent = { name: "progress"; data: Progress } | { name: Job["status"]; data: Job };

const RECONNECT_MS = 500;
const PROGRESS = "progress";

export class GenVideoClient {
  /** Every operation of the document: `client.api.GET("/api/v1/quota")`. */
  readonly api: Client<paths>;
  readonly #baseUrl: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: Fetch;

  constructor(options: ClientOptions) {
    this.#baseUrl = options.baseUrl.replace(/\/+$/, "");
    this.#headers = { "X-API-Key": options.apiKey };
    if (options.language !== undefined) this.#headers["Accept-Language"] = options.language;
    this.#fetch = retrying(options.fetch ?? ((request) => fetch(request)), options.maxRetries ?? 3);
    this.api = createFetchClient<paths>({
      baseUrl: this.#baseUrl,
      headers: this.#headers,
      fetch: this.#fetch,
    });
    this.api.use(idempotent);
  }

  /** Ask for pictures; the job is accepted, not finished. */
  async generateImage(fields: ImageFields, options: SubmitOptions = {}): Promise<Job> {
    const { data, error, response } = await this.api.POST("/api/v1/images/generate", {
      body: fields,
      params: { header: submitHeaders(options) },
      ...signalOf(options),
    });
    return this.getJob(dataOf(data, error, response).task_id);
  }

  /** Ask for a video; the job is accepted, not finished. */
  async generateVideo(fields: VideoFields, options: SubmitOptions = {}): Promise<Job> {
    const { data, error, response } = await this.api.POST("/api/v1/videos/generate", {
      body: fields,
      params: { header: submitHeaders(options) },
      ...signalOf(options),
    });
    return this.getJob(dataOf(data, error, response).task_id);
  }

  async getJob(jobId: string): Promise<Job> {
    const { data, error, response } = await this.api.GET("/api/v1/jobs/{job_id}", {
      params: { path: { job_id: jobId } },
    });
    return dataOf(data, error, response);
  }

  /** Cancel a job that has not ended; what it would have cost comes back. */
  async cancelJob(jobId: string): Promise<Job> {
    const { data, error, response } = await this.api.POST("/api/v1/jobs/{job_id}/cancel", {
      params: { path: { job_id: jobId } },
    });
    return dataOf(data, error, response);
  }

  /** Yield what happens to a job until its end, whatever becomes of the connections in between. */
  async *followJob(jobId: string, signal?: AbortSignal): AsyncGenerator<JobEvent> {
    let lastId = "";
    for (;;) {
      const headers: Record<string, string> = { ...this.#headers };
      if (lastId !== "") headers["Last-Event-ID"] = lastId;
      const url = `${this.#baseUrl}/api/v1/jobs/${encodeURIComponent(jobId)}/events`;
      const response = await this.#fetch(new Request(url, { headers, signal: signal ?? null }));
      if (!response.ok || response.body === null) throw await readError(response);
      try {
        for await (const event of readEvents(response.body)) {
          lastId = event.id;
          const data: unknown = JSON.parse(event.data);
          if (event.name === PROGRESS) {
            yield { name: PROGRESS, data: data as Progress };
          } else {
            yield { name: event.name as Job["status"], data: data as Job };
            return;
          }
        }
      } catch (error) {
        // A cut connection is taken up again; a caller's own error or abort is not.
        if (signal?.aborted || !(error instanceof TypeError)) throw error;
      }
      await pause(RECONNECT_MS, signal);
    }
  }

  /**
   * Wait for the end of a job, and return it once it has its files.
   *
   * @throws JobFailedError It ended without a result.
   * @throws WaitTimeoutError It has not ended in time, and goes on.
   */
  async waitForJob(job: Job | string, options: WaitOptions = {}): Promise<Job> {
    const jobId = typeof job === "string" ? job : job.id;
    const { onProgress, timeoutSeconds, signal } = options;
    const ends = [signal, timeoutSeconds && AbortSignal.timeout(timeoutSeconds * 1000)];
    const end = anyOf(ends.filter((given) => given instanceof AbortSignal));
    try {
      for await (const event of this.followJob(jobId, end)) {
        if (event.name === PROGRESS) onProgress?.(event.data);
        else if (event.name === "succeeded") return event.data;
        else throw new JobFailedError(event.data);
      }
    } catch (error) {
      if (signal?.aborted || !end.aborted || timeoutSeconds === undefined) throw error;
      throw new WaitTimeoutError(jobId, timeoutSeconds);
    }
    throw new Error("unreachable: a job's events end with its end");
  }

  /**
   * Return the bytes of a finished file.
   *
   * @throws DownloadError They are not the ones that the service described.
   */
  async download(output: Output, signal?: AbortSignal): Promise<Uint8Array> {
    const url = new URL(output.url, `${this.#baseUrl}/`);
    // The key is for the service alone, wherever the files are.
    const isOwn = url.origin === new URL(this.#baseUrl).origin;
    const request = new Request(url, {
      headers: isOwn ? this.#headers : {},
      signal: signal ?? null,
    });
    const response = await this.#fetch(request);
    if (!response.ok) throw await readError(response);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const hash = await sha256(bytes);
    if (bytes.length !== output.size_bytes || (hash ?? output.sha256) !== output.sha256) {
      throw new DownloadError(`${output.url} is damaged; download it again`);
    }
    return bytes;
  }
}

/** Return a client of the service at an address. */
export function createClient(options: ClientOptions): GenVideoClient {
  return new GenVideoClient(options);
}

const idempotent: Middleware = {
  onRequest({ request, schemaPath }) {
    if (request.method !== "POST" || request.headers.has("Idempotency-Key")) return undefined;
    if (!/\/(generate|generations|edits|variations|videos|remix)$/.test(schemaPath)) return undefined;
    request.headers.set("Idempotency-Key", makeKey());
    return request;
  },
};

/** A page without https has no `crypto.randomUUID`; keys need to differ, not to be secret. */
function makeKey(): string {
  const parts = Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32));
  return `ts-${Date.now().toString(36)}-${parts.map((part) => part.toString(36)).join("-")}`;
}

/** Return the hash of bytes; undefined where the platform has none, as on a page without https. */
async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", bytes);
  if (digest === undefined) return undefined;
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function submitHeaders({ idempotencyKey, cancelAfter }: SubmitOptions) {
  return {
    Prefer: "respond-async",
    ...(idempotencyKey !== undefined && { "Idempotency-Key": idempotencyKey }),
    ...(cancelAfter !== undefined && { "Cancel-After": cancelAfter }),
  };
}

function signalOf({ signal }: SubmitOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function anyOf(signals: AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    const end = () => controller.abort(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  }
  return controller.signal;
}

/** Return the data of an answer, or throw the error that it is. */
function dataOf<T>(data: T | undefined, error: unknown, response: Response): T {
  if (data !== undefined) return data;
  throw new ApiError(response.status, (error ?? {}) as Partial<Problem>, response.headers);
}
