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
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const words = (name) => (name ?? "").replaceAll("_", " ");

const percentFormat = new Intl.NumberFormat("en-GB", { style: "percent", minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const numberFormat = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

export const percent = (share) => (share === null ? "–" : share === 0 ? "0%" : percentFormat.format(share));
export const number = (count) => numberFormat.format(count);

/** Return bytes as a person says them. */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${number(bytes / 1000 ** power)} ${units[power]}`;
}

/** Return what went wrong, with a button that tries again. */
export function problem(error, retry) {
  return el("div", { class: "problem", role: "alert" },
    el("p", {}, error.message),
    retry ? el("button", { type: "button", on: { click: retry } }, "Try again") : null);
}

/** Return a bar on its track, `part` of `whole` long; nothing is drawn for nothing. */
export function track(part, whole, kind = "bar") {
  const drawn = part > 0 && whole > 0;
  return el("span", { class: "track" }, drawn ? el("span", { class: kind, width: `${(100 * part) / whole}%` }) : null);
}
