// Asking the REST service; its problem documents become errors that a person can read.

export async function ask(path, parameters = {}, options = {}) {
  const asked = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(asked).toString();
  let answer;
  try {
    answer = await fetch(query ? `${path}?${query}` : path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer: is `narrascope serve` still running?");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok || body === null) throw new Error(body?.detail ?? `The service answered ${answer.status}.`);
  return body;
}

export function send(path, body) {
  return ask(path, {}, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** Return a function that asks, and drops the answers that a later call has overtaken. */
export function latest() {
  let current = null;
  return async (path, parameters) => {
    current?.abort();
    const mine = (current = new AbortController());
    const body = await ask(path, parameters, { signal: mine.signal });
    if (mine !== current) throw new DOMException("overtaken", "AbortError");
    return body;
  };
}
