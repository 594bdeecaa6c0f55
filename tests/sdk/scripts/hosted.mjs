// A script as people write it for the hosted service, with the JavaScript SDK.
// What it saw goes to its output as JSON.
import { readFile, writeFile } from "node:fs/promises";
import OpenAI, { toFile } from "openai";

const folder = process.argv[2];
const client = new OpenAI({ timeout: 60_000 });
const seen = {};
const source = await readFile(`${folder}/mask.png`);
const picture = () => toFile(source, "one.png", { type: "image/png" });

const made = await client.images.generate({
  model: "gpt-image-1",
  prompt: "a lake in the morning",
  size: "1536x1024",
  n: 2,
  output_format: "jpeg",
});
await writeFile(`${folder}/generated.jpeg`, Buffer.from(made.data[0].b64_json, "base64"));
seen.generate = { count: made.data.length, size: made.size, url: made.data[1].url };

const events = [];
const stream = await client.images.generate({
  model: "gpt-image-1",
  prompt: "sleep=1.5 a lake, slowly",
  size: "256x256",
  stream: true,
  partial_images: 2,
});
for await (const event of stream) events.push(event.type);
seen.stream = events;

const edited = await client.images.edit({
  model: "gpt-image-1",
  image: [await picture(), await picture()],
  mask: await picture(),
  prompt: "a boat on the lake",
});
seen.edit = { size: edited.size };
const varied = await client.images.createVariation({ image: await picture(), n: 1 });
seen.variation = { count: varied.data.length };

let video = await client.videos.create({
  model: "sora-2",
  prompt: "waves at dawn",
  seconds: "4",
  size: "720x1280",
  input_reference: await picture(),
});
seen.created = video;
while (video.status === "queued" || video.status === "in_progress") {
  await new Promise((resolve) => setTimeout(resolve, 200));
  video = await client.videos.retrieve(video.id);
}
seen.polled = video;
for (const variant of ["video", "thumbnail", "spritesheet"]) {
  const content = await client.videos.downloadContent(video.id, { variant });
  await writeFile(`${folder}/${variant}`, Buffer.from(await content.arrayBuffer()));
}
const remix = await client.videos.remix(video.id, { prompt: "waves at night" });
seen.remixed = remix;
const ids = [];
for await (const item of client.videos.list({ limit: 1 })) {
  ids.push(item.id);
  if (ids.length === 2) break;
}
seen.newest = ids;
seen.deleted = await client.videos.delete(video.id);
seen.models = (await client.models.list()).data.map((model) => model.id);

try {
  await client.images.generate({ prompt: "a lake", size: "wide" });
} catch (error) {
  seen.error = { name: error.constructor.name, status: error.status, code: error.code };
}
try {
  const failing = await client.images.generate({ prompt: "fail=9 a lake", stream: true });
  for await (const event of failing) seen.unexpected = event.type;
} catch (error) {
  seen.stream_error = { name: error.constructor.name, message: error.message };
}
console.log(JSON.stringify(seen));
