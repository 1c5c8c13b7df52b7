// Building the page: every text goes in as text, never as markup.

export const LABELS = {
  ai_agent: "AI agent",
  malevolent: "Malevolent",
  self_preserving: "Self-preserving",
  benevolent: "Benevolent",
};
export const PORTRAYALS = ["malevolent", "self_preserving", "benevolent"];

/** Return an element with properties, `data-` and `aria-` attributes, and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "width") element.style.width = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const at = (id) => document.getElementById(id);
export const words = (name) => (name ?? "").replaceAll("_", " ");

const percentFormat = new Intl.NumberFormat("en-GB", { style: "percent", minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const numberFormat = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const tickFormat = new Intl.NumberFormat("en-GB", { style: "percent", maximumSignificantDigits: 2 });
const signFormat = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });

export const percent = (share) => (share === null || share === undefined ? "–" : share === 0 ? "0%" : percentFormat.format(share));
export const roughly = (share) => tickFormat.format(share);
export const number = (count) => numberFormat.format(count);
export const signed = (change) => (change === null || change === undefined ? "–" : signFormat.format(change).replace("-", "−"));

/** Return bytes as a person says them. */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${number(bytes / 1000 ** power)} ${units[power]}`;
}

/** Return an amount with its unit. */
export const amount = (count, unit) => (count === null ? "not known" : unit === "bytes" ? size(count) : `${number(count)} ${unit}`);

/** Return what went wrong, with a button that tries again. */
export function problem(error, retry) {
  return el("div", { class: "problem", role: "alert" },
    el("p", {}, error.message),
    retry ? el("button", { type: "button", on: { click: retry } }, "Try again") : null);
}

/** Return a part of a whole with their unit. */
export const ofWhole = (part, whole, unit) => (unit === "bytes" ? `${size(part)} of ${size(whole)}` : `${number(part)} of ${number(whole)} ${unit}`);

/** Return a bar on its track, `part` of `whole` long; nothing is drawn for nothing. */
export function track(part, whole, kind = "bar") {
  const drawn = part > 0 && whole > 0;
  return el("span", { class: "track" }, drawn ? el("span", { class: kind, width: `${Math.min(100, (100 * part) / whole)}%` }) : null);
}

/** Return a table in a box that scrolls sideways by itself; the box can be reached by keyboard. */
export function table(caption, heads, rows, { figures = true } = {}) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { class: figures ? "figures" : "" },
      el("caption", { class: "visually-hidden" }, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => (head ? el("th", { scope: "col" }, head) : el("td", {}))))),
      el("tbody", {}, rows.map(([first, ...others]) =>
        el("tr", {}, el("th", { scope: "row" }, first), others.map((cell) => el("td", {}, cell)))))));
}

/** Return a button that copies a text, and says that it did; none where the browser forbids it. */
export function copyButton(text, name) {
  if (!navigator.clipboard) return null;
  const button = el("button", { type: "button", class: "copy", "aria-label": `Copy ${name}` }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return button;
}
