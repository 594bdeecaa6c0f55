/** Against a real service: its address and key come from the environment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, JobFailedError, WaitTimeoutError, createClient, type Job, type Progress } from "../src/index.js";

const baseUrl = process.env["GEN_VIDEO_TEST_URL"] ?? "";
const apiKey = process.env["GEN_VIDEO_TEST_KEY"] ?? "";
const client = createClient({ baseUrl, apiKey });
const SMALL = { width: 64, height: 64, num_inference_steps: 10 };

function outputOf(job: Job) {
  const [output] = job.outputs;
  assert.ok(output);
  return output;
}

test("a picture is asked for, followed to its end and downloaded", async () => {
  const seen: Progress[] = [];

  const job = await client.generateImage({ prompt: "a lake sleep=1", ...SMALL });
  const done = await client.waitForJob(job, { onProgress: (progress) => seen.push(progress) });
  const picture = await client.download(outputOf(done));

  assert.equal(done.status, "succeeded");
  assert.ok(seen.some(({ stage }) => stage === "denoising"));
  assert.ok(seen.every(({ percent }, i) => percent >= (seen[i - 1]?.percent ?? 0)));
  assert.deepEqual([...picture.slice(1, 4)].map((code) => String.fromCharCode(code)).join(""), "PNG");
  assert.equal(picture.length, outputOf(done).size_bytes);
});

test("a video is made as well", async () => {
  const job = await client.generateVideo({ prompt: "waves", ...SMALL, num_frames: 8, fps: 8 });

  const done = await client.waitForJob(job.id, { timeoutSeconds: 60 });

  assert.equal(outputOf(done).mime, "video/mp4");
});

test("a lost answer makes no second job", async () => {
  let isLost = false;
  const losing = createClient({
    baseUrl,
    apiKey,
    fetch: async (request) => {
      const response = await fetch(request);
      if (request.method === "GET" || isLost) return response;
      isLost = true;
      throw new TypeError("the connection was cut");
    },
  });
  const count = async () => {
    const { data } = await client.api.GET("/api/v1/jobs", { params: { query: { limit: 100 } } });
    assert.ok(data);
    return data.data.length;
  };
  const before = await count();

  await losing.generateImage({ prompt: "a lake", ...SMALL, seed: 7 });

  assert.ok(isLost);
  assert.equal(await count(), before + 1);
});

test("following goes on when the connection is cut", async () => {
  const asked: (string | null)[] = [];
  const cutting = createClient({
    baseUrl,
    apiKey,
    fetch: async (request) => {
      const response = await fetch(request);
      if (!request.url.endsWith("/events") || response.body === null) return response;
      asked.push(request.headers.get("last-event-id"));
      if (asked.length > 1) return response;
      return new Response(response.body.pipeThrough(cutAfterOne()), response);
    },
  });
  const job = await cutting.generateImage({ prompt: "a lake sleep=1", ...SMALL });

  const done = await cutting.waitForJob(job);

  assert.equal(done.status, "succeeded");
  assert.equal(asked[0], null);
  assert.ok(Number(asked[1]) > 0);
});

function cutAfterOne(): TransformStream<Uint8Array, Uint8Array> {
  let isCut = false;
  return new TransformStream({
    transform(chunk, controller) {
      if (isCut) controller.error(new TypeError("terminated"));
      else controller.enqueue(chunk);
      isCut = true;
    },
  });
}

test("a job that fails says why", async () => {
  const job = await client.generateImage({ prompt: "a lake fail=9", ...SMALL });

  await assert.rejects(client.waitForJob(job), (error: unknown) => {
    assert.ok(error instanceof JobFailedError);
    assert.equal(error.job.status, "failed");
    assert.equal(error.code, "generation_failed");
    return true;
  });
});

test("waiting ends in time and the job goes on", async () => {
  const job = await client.generateImage({ prompt: "a lake sleep=20", ...SMALL });

  await assert.rejects(client.waitForJob(job, { timeoutSeconds: 0.5 }), WaitTimeoutError);
  const canceled = await client.cancelJob(job.id);

  assert.ok(canceled.is_cancel_requested);
});

test("an abort ends waiting with its own reason", async () => {
  const job = await client.generateImage({ prompt: "a lake sleep=20", ...SMALL });
  const reason = new Error("the page was left");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 200);

  await assert.rejects(client.waitForJob(job, { signal: controller.signal }), reason);
  await client.cancelJob(job.id);
});

test("errors are readable, in the reader's language", async () => {
  const chinese = createClient({ baseUrl, apiKey, language: "zh" });

  await assert.rejects(chinese.generateImage({ prompt: "a lake", width: 63 }), (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 422);
    assert.equal(error.errors[0]?.pointer, "/width");
    assert.match(error.message, /[\u4e00-\u9fff]/);
    assert.match(error.requestId, /^req_/);
    return true;
  });
  await assert.rejects(createClient({ baseUrl, apiKey: "wrong" }).getJob("job_1"), {
    status: 401,
    code: "invalid_api_key",
  });
});
