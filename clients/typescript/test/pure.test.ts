/** What needs no service: events in any pieces, retries, signatures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { ApiError, UnreachableError, WebhookVerificationError, createClient, verifyWebhook } from "../src/index.js";
import { readEvents, type ServerEvent } from "../src/events.js";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const STREAM =
  'id: 1\nevent: progress\ndata: {"a":"雪"}\n\n: still here\n\nid: 2\r\nevent: succeeded\r\ndata: x\r\ndata: y\r\n\r\nid: 3\ndata: cut';

function inPieces(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
      controller.close();
    },
  });
}

for (const size of [1, 2, 7, 1000]) {
  test(`events are whole when they arrive in pieces of ${size} bytes`, async () => {
    const events: ServerEvent[] = [];
    for await (const event of readEvents(inPieces(STREAM, size))) events.push(event);

    assert.deepEqual(events, [
      { id: "1", name: "progress", data: '{"a":"雪"}' },
      { id: "2", name: "succeeded", data: "x\ny" },
    ]);
  });
}

function answers(...statuses: (number | Error)[]) {
  const keys: (string | null)[] = [];
  const fetch = (request: Request): Promise<Response> => {
    keys.push(request.headers.get("idempotency-key"));
    const next = statuses.shift() ?? 200;
    if (next instanceof Error) return Promise.reject(next);
    return Promise.resolve(Response.json({ task_id: "job_1", id: "job_1" }, { status: next }));
  };
  return { keys, client: createClient({ baseUrl: "http://x", apiKey: "k", fetch, maxRetries: 1 }) };
}

test("a submit whose answer is lost is repeated with its key", async () => {
  const { keys, client } = answers(new TypeError("lost"), 202, 200);

  await client.generateImage({ prompt: "a lake" });

  assert.equal(keys.length, 3);
  assert.ok(keys[0]);
  assert.equal(keys[0], keys[1]);
  assert.equal(keys[2], null);
});

test("each submit has a key of its own", async () => {
  const { keys, client } = answers();

  await client.generateImage({ prompt: "a lake" });
  await client.generateImage({ prompt: "a lake" });

  assert.notEqual(keys[0], keys[2]);
});

test("what is not safe to repeat is sent once", async () => {
  const { keys, client } = answers(503, 200);

  await assert.rejects(client.cancelJob("job_1"), ApiError);
  assert.equal(keys.length, 1);
});

test("a service that does not answer is named", async () => {
  const { client } = answers(new TypeError("refused"), new TypeError("refused"));

  await assert.rejects(client.getJob("job_1"), (error: unknown) => {
    assert.ok(error instanceof UnreachableError);
    assert.match(error.message, /http:\/\/x\/api\/v1\/jobs\/job_1/);
    return true;
  });
});

function signed(body: string, at = new Date()): Record<string, string> {
  return {
    "webhook-id": "evt_1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(SECRET).sign("evt_1", at, body),
  };
}

const BODY = JSON.stringify({ type: "job.succeeded", timestamp: "2026-12-01T00:00:00Z", data: {} });

test("a message is read with any of the secrets", () => {
  const headers = signed(BODY);

  assert.equal(verifyWebhook(BODY, headers, SECRET).type, "job.succeeded");
  assert.equal(verifyWebhook(BODY, new Headers(headers), [OTHER, SECRET]).type, "job.succeeded");
});

test("a message that is forged, changed or old is refused", () => {
  const old = new Date(Date.now() - 10 * 60_000);

  for (const [body, headers, secret] of [
    [BODY, signed(BODY), OTHER],
    [`${BODY} `, signed(BODY), SECRET],
    [BODY, signed(BODY, old), SECRET],
    [BODY, {}, SECRET],
    [BODY, signed(BODY), []],
  ] as const) {
    assert.throws(() => verifyWebhook(body, headers, secret), WebhookVerificationError);
  }
});
