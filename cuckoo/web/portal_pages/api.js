// Calls to the server of these pages, and only to it.

export class Refused extends Error {
  constructor(status, body) {
    super(body?.message ?? `status ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.field = body?.field ?? "";
  }
}

export class Unreachable extends Error {}

async function call(path, options = {}) {
  const answer = await fetch(path, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Unreachable(error.message);
  });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

const JSON_TYPE = { "Content-Type": "application/json" };

export const read = (path, query = {}, signal) => {
  const text = new URLSearchParams(query).toString();
  return call(text ? `${path}?${text}` : path, { signal });
};

export const plan = (act) => call("/api/plans", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(act) });

export const begin = (act, id, token) =>
  call("/api/acts", { method: "POST", headers: { ...JSON_TYPE, "Idempotency-Key": id, "X-Cuckoo-Token": token }, body: JSON.stringify(act) });

export const act = (id, token) => call(`/api/acts/${id}`, { headers: { "X-Cuckoo-Token": token } });
