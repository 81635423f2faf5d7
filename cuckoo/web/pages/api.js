// Calls to the coordinator that served this page, and only to it.

export class Refused extends Error {
  constructor(status, body) {
    super(body?.message ?? `status ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.field = body?.field ?? "";
    this.limit = body?.limit ?? "";
  }
}

export class Unreachable extends Error {}

function headers(more = {}) {
  const key = sessionStorage.getItem("key");
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

async function call(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: headers(options.headers) }).catch((error) => {
    throw error.name === "AbortError" ? error : new Unreachable(error.message);
  });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => null));
  return answer;
}

export const read = async (path) => (await call(path)).json();

export const picture = async (path) => (await call(path)).blob();

export async function submit(request) {
  const body = JSON.stringify(request);
  const repeat = { "Content-Type": "application/json", "Idempotency-Key": crypto.getRandomValues(new Uint32Array(4)).join("-") };
  return (await call("/v1/tasks", { method: "POST", body, headers: repeat })).json();
}

export const cancel = (task) => call(`/v1/tasks/${task}`, { method: "DELETE" });

// Server-sent events by fetch: an EventSource can not send a key.
export async function* events(task, signal) {
  const answer = await call(`/v1/tasks/${task}/events`, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const frames = text.split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const data = frame.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}

export function bytes(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
