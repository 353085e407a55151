// @ts-nocheck: a browser's program.
import { el, name } from "./dom.js";
import { inOneLine, shortened } from "./format.js";
import { lastAttempt } from "./model.js";

const mostShown = 50;

/** The waiting messages, in the order of their execution. */
export function queueView(actions) {
  const summary = el("summary", { class: "queue-title" });
  const list = el("ol");
  const node = el("details", { class: "queue", hidden: true }, summary, list);
  let shown = "";
  return {
    node,
    update({ open, messages, status }) {
      const waiting = open.map((id) => messages.get(id)).filter((item) => lastAttempt(item).state === "queued");
      const key = JSON.stringify([status, waiting.map(({ id, attempts }) => [id, attempts.length])]);
      if (key === shown) return;
      shown = key;
      node.hidden = waiting.length === 0;
      const words = waiting.length === 1 ? "1 message waits" : `${waiting.length} messages wait`;
      summary.textContent = status === "paused" ? `${words} until the session is resumed` : words;
      const focused = document.activeElement?.dataset.message;
      list.replaceChildren(
        ...waiting.slice(0, mostShown).map((item) => row(item, actions)),
        ...(waiting.length > mostShown ? [el("li", { class: "soft" }, `and ${waiting.length - mostShown} more`)] : []),
      );
      if (focused !== undefined)
        (list.querySelector(`[data-message="${focused}"]`) ?? list.querySelector("button") ?? summary).focus();
    },
  };
}

function row(item, actions) {
  const text = inOneLine(shortened(item.text, 200));
  const cancel = el(
    "button",
    {
      ...{ type: "button", class: "quiet small", "data-message": String(item.id) },
      onclick: () => actions.cancel(item),
    },
    "Cancel",
    el("span", { class: "hidden" }, ` message ${item.id}`),
  );
  return el(
    "li",
    {},
    el("span", { class: "who" }, name(item.author)),
    el("span", { class: "what" }, el("bdi", {}, text)),
    actions.mayChange(item) && cancel,
  );
}
