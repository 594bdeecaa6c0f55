/** Messages that the service sends to your address: signed by Standard Webhooks. */
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import type { components } from "./schema.js";

export { WebhookVerificationError };

export interface WebhookMessage {
  type: components["schemas"]["EventView"]["type"];
  timestamp: string;
  data: components["schemas"]["EventView"]["data"];
}

/**
 * Return a message, if the service has signed it.
 *
 * @param body The body as it arrived: parsed and written again it may be another text.
 * @param headers Of the request; `webhook-id` is the same whenever a message is repeated.
 * @param secrets The secret, or several while one is being replaced.
 * @throws WebhookVerificationError It was signed by somebody else, or more than five minutes ago.
 */
export function verifyWebhook(
  body: string,
  headers: Headers | Record<string, string | string[] | undefined>,
  secrets: string | readonly string[],
): WebhookMessage {
  const signed = pick(headers);
  const known = typeof secrets === "string" ? [secrets] : secrets;
  let failure: unknown = new WebhookVerificationError("no secret is known");
  for (const secret of known) {
    try {
      return new Webhook(secret).verify(body, signed) as WebhookMessage;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function pick(headers: Headers | Record<string, string | string[] | undefined>): Record<string, string> {
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
  const read = (name: string) =>
    headers instanceof Headers ? headers.get(name) : [headers[name]].flat()[0];
  return Object.fromEntries(names.map((name) => [name, read(name) ?? ""]));
}
