// Asking the REST service; its problem documents become errors that a person can read.

import { authorization, newKey } from "./key.js";

const POLL = 1000;

/** A refusal of the service: its `status`, and the problem's detail as its message. */
class Refusal extends Error {
  constructor(status, detail) {
    super(detail ?? `The service answered ${status}.`);
    this.status = status;
  }
}

async function answerTo(address, options) {
  try {
    return await fetch(address, { ...options, headers: { ...options.headers, ...authorization() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer: is `narrascope serve` still running?");
  }
}

/** Return the body of an answer; where a key is needed the user is asked for one. */
export async function ask(path, parameters = {}, options = {}) {
  const asked = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(asked).toString();
  const address = query ? `${path}?${query}` : path;
  const sent = authorization();
  let answer = await answerTo(address, options);
  while (answer.status === 401) {
    const refused = (await answer.json().catch(() => null))?.detail;
    if (!(await newKey(sent, refused))) throw new Refusal(401, "This service needs an API key. Try again to enter one.");
    answer = await answerTo(address, options);
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok || body === null) throw new Refusal(answer.status, body?.detail);
  return answer.status === 202 ? finished(body, options) : body;
}

/** Wait for a job, telling `onJob` how it stands, and return what `made` brings of its result. */
async function finished(job, { onJob = () => null, made = ({ location }) => ask(location), signal }) {
  while (!["done", "failed", "cancelled"].includes(job.state)) {
    onJob(job);
    await new Promise((wake) => setTimeout(wake, POLL));
    job = await ask(`/v1/jobs/${job.id}`, {}, { signal });
  }
  if (job.state === "done") return made(job.result);
  throw Object.assign(new Refusal(409, job.error ?? `The job was ${job.state}.`), { cancelled: job.state === "cancelled" });
}

export function send(path, body, options = {}) {
  return ask(path, {}, { ...options, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** Return a function that calls `request`, and drops the answers that a later call has overtaken. */
export function latest(request = ask) {
  let current = null;
  return async (path, parameters) => {
    current?.abort();
    const mine = (current = new AbortController());
    const body = await request(path, parameters, { signal: mine.signal });
    if (mine !== current) throw new DOMException("overtaken", "AbortError");
    return body;
  };
}
