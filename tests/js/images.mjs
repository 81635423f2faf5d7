// OpenAI's package against the coordinator at argv[2]; prints what came of it as JSON.
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-any", maxRetries: 0 });

const answer = await client.images.generate({ prompt: "a red apple" });
const picture = Buffer.from(answer.data[0].b64_json, "base64");
const edited = await client.images.edit({
  prompt: "a worm",
  image: await toFile(picture, "apple.png", { type: "image/png" }),
});
const events = [];
for await (const event of await client.images.generate({ prompt: "a pear", stream: true, partial_images: 1 })) {
  events.push(event.type);
}
let refused = null;
try {
  await client.images.generate({ prompt: "a pear", size: "large" });
} catch (error) {
  refused = { status: error.status, param: error.param, code: error.code };
}
const models = (await client.models.list()).data.map((model) => model.id);
console.log(JSON.stringify({ picture: answer.data[0].b64_json.slice(0, 40), edited: edited.data[0].b64_json.slice(0, 40), events, refused, models }));
