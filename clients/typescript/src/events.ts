/** Server-sent events: text becomes events, whatever the pieces that it arrives in. */

export interface ServerEvent {
  id: string;
  name: string;
  data: string;
}

/** Yield the events of an answer; an event that was cut off is left out. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function parseEvent(block: string): ServerEvent | undefined {
  const event: ServerEvent = { id: "", name: "message", data: "" };
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === "id") event.id = value ?? "";
    if (field === "event") event.name = value ?? "";
    if (field === "data") data.push(value ?? "");
  }
  if (data.length === 0) return undefined; // A comment keeps the connection open.
  event.data = data.join("\n");
  return event;
}
