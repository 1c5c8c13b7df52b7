// The state of the page is its query string: what is seen can be shared, and going back undoes.

const VIEWS = ["overview", "documents", "policy", "audit", "try"];

/** Return what the address bar says: the view, and its parameters. */
export function state() {
  const given = new URLSearchParams(location.search);
  const view = given.get("view") ?? "overview";
  given.delete("view");
  return { view: VIEWS.includes(view) ? view : "overview", given: Object.fromEntries(given) };
}

/** Return the address of a view; parameters that are empty are left out. */
export function addressOf(view, parameters = {}) {
  const said = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams([...(view === "overview" ? [] : [["view", view]]), ...said]);
  return query.size ? `/?${query}` : "/";
}

/** Change parameters of the view that is shown, and tell the page unless it is `quiet`. */
export function change(changes, { replace = false, quiet = false } = {}) {
  const { view, given } = state();
  const address = addressOf(view, { ...given, ...changes }) + location.hash;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  if (!quiet) dispatchEvent(new Event("address"));
}

/** Go to an address of this page. */
export function go(address) {
  history.pushState(null, "", address);
  dispatchEvent(new Event("address"));
}

/** Let links between views change the address without loading the page again. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a");
    if (!link) return;
    const href = link.getAttribute("href") ?? link.getAttributeNS("http://www.w3.org/1999/xlink", "href") ?? "";
    if (href !== "/" && !href.startsWith("/?")) return;
    event.preventDefault();
    go(href);
  });
}
