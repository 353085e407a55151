// @ts-nocheck: a browser's program.
import { inOneLine, visible } from "./format.js";

/**
 * Makes an element. Strings among the children become text; HTML is never parsed.
 *
 * @param properties `on…` listeners, attributes (`class`, `aria-…`, `data-…`) and properties of the element
 */
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class" || key.includes("-") || !(key in node))
      node.setAttribute(key, value === true ? "" : value);
    else node[key] = value;
  }
  node.append(...children.filter((child) => child !== undefined && child !== false));
  return node;
}

/** Untrusted text in a line of the page. It can't reorder the text around it. */
export function name(text, properties = {}) {
  return el("bdi", properties, inOneLine(text));
}

export function time(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const clock = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const shown = isToday ? clock : `${date.toLocaleDateString([], { day: "numeric", month: "short" })} ${clock}`;
  return el("time", { dateTime: at, title: date.toLocaleString() }, shown);
}

/** The most characters of a text that are shown at once. More would block the browser for seconds. */
const mostShown = 20_000;

/** Preformatted text of any length. */
export function pre(text, properties = {}) {
  const shown = visible(text.slice(0, mostShown));
  const node = el("pre", { tabIndex: 0, ...properties }, shown);
  if (text.length <= mostShown) return node;
  const more = el(
    "button",
    {
      class: "quiet small",
      type: "button",
      onclick: () => {
        node.textContent = visible(text);
        more.remove();
      },
    },
    `Show all ${Math.ceil(text.length / 1000)} thousand characters`,
  );
  return el("div", {}, node, more);
}
