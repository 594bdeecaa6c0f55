/**
 * What can go wrong, as one tree. Every message says what to do next.
 *
 *     GenVideoError
 *     ├── ApiError           the service refused: status, code, requestId, errors
 *     ├── UnreachableError   no answer, as often as it was asked
 *     ├── DownloadError      the file is not what the service said
 *     ├── JobFailedError     the job has no result; `job` says why
 *     └── WaitTimeoutError   the job goes on, the waiting has ended
 */
import type { components } from "./schema.js";

export type Problem = components["schemas"]["ProblemView"];
export type Job = components["schemas"]["JobView"];

/** Anything that this client throws by itself. */
export class GenVideoError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The service refused a request. */
export class ApiError extends GenVideoError {
  /** Stable, for programs, such as `quota_exceeded`. */
  readonly code: string;
  /** Quote it when you report a problem. */
  readonly requestId: string;
  /** The fields that are wrong. */
  readonly errors: Problem["errors"];
  /** When to try again; undefined if the service does not say. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly status: number,
    problem: Partial<Problem>,
    headers: Headers,
  ) {
    super(problem.detail ?? `the service answered ${status}`);
    this.code = problem.code ?? "unknown";
    this.requestId = problem.request_id ?? headers.get("x-request-id") ?? "";
    this.errors = problem.errors ?? [];
    const seconds = Number(headers.get("retry-after") ?? Number.NaN);
    this.retryAfterSeconds = Number.isFinite(seconds) ? seconds : undefined;
  }
}

/** The service did not answer, as often as it was asked. */
export class UnreachableError extends GenVideoError {}

/** A file arrived otherwise than the service described it. */
export class DownloadError extends GenVideoError {}

/** A job ended without a result; nothing was charged for it. */
export class JobFailedError extends GenVideoError {
  readonly code: string;

  constructor(readonly job: Job) {
    super(`${job.id}: ${job.error?.message ?? `the job is ${job.status}`}`);
    this.code = job.error?.code ?? job.status;
  }
}

/** A job was not finished in time; it goes on, and waiting for it again is fine. */
export class WaitTimeoutError extends GenVideoError {
  constructor(
    readonly jobId: string,
    readonly seconds: number,
  ) {
    super(`${jobId} is not finished after ${seconds} s; wait for it again later`);
  }
}

/** Return the error of an answer that is none of the good ones. */
export async function readError(response: Response): Promise<ApiError> {
  const text = await response.text();
  let problem: Partial<Problem> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) problem = parsed as Partial<Problem>;
  } catch {
    // A proxy in between answers in its own words.
  }
  return new ApiError(response.status, problem, response.headers);
}
