// @ts-nocheck: a browser's program.
import { Refused } from "./api.js";
import { el } from "./dom.js";
import { inOneLine, shortened } from "./format.js";

const againMs = 2000;

/** The message box. It keeps unsent messages and sends each once: the service recognizes repeated requests by their key. */
export function composerView(session, { api, onError, cancel }) {
  const draftKey = `draft ${session}`;
  const outbox = [];
  let isOpen = true;
  let isSending = false;
  const text = el("textarea", {
    ...{ id: "text", rows: 1, maxLength: 200_000, placeholder: "Write a message", "aria-label": "Message" },
    ...{ enterKeyHint: "send", autocomplete: "off", "aria-describedby": "keys" },
  });
  const send = el("button", { type: "submit" }, "Send");
  const stop = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => cancel() }, "Cancel");
  stop.title = "Cancel the current message (Escape)";
  const pending = el("ul", { class: "pending", "aria-label": "Not sent yet" });
  const over = el("p", { class: "soft over", hidden: true }, "This session is terminated. Its transcript stays.");
  const keys = el("p", { class: "keys", id: "keys" }, "Enter sends · Shift+Enter starts a new line · Escape cancels");
  const form = el("form", { class: "composer" }, text, el("div", { class: "buttons" }, stop, send));
  const node = el("div", {}, pending, over, form, keys);
  text.value = sessionStorage.getItem(draftKey) ?? "";

  function submit() {
    const said = text.value.trim();
    if (said === "" || !isOpen) return;
    outbox.push({ key: crypto.randomUUID(), text: said });
    text.value = "";
    sessionStorage.removeItem(draftKey);
    flush();
  }

  async function flush() {
    if (isSending) return;
    isSending = true;
    showPending();
    while (outbox.length > 0) {
      try {
        await api.post("/messages", outbox[0]);
        outbox.shift();
      } catch (error) {
        if (error instanceof Refused && ["offline", "unavailable", "failed"].includes(error.code)) {
          showPending();
          await new Promise((resolve) => setTimeout(resolve, againMs));
          continue;
        }
        const { text: said } = outbox.shift();
        if (text.value === "") text.value = said;
        onError(error);
      }
      showPending();
    }
    isSending = false;
  }

  function showPending() {
    pending.replaceChildren(
      ...outbox.map((each) => el("li", {}, "Sending: ", el("bdi", {}, inOneLine(shortened(each.text, 120))))),
    );
    pending.hidden = outbox.length === 0;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    text.focus();
  });
  text.addEventListener("input", () => sessionStorage.setItem(draftKey, text.value));
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  showPending();
  return {
    node,
    flush,
    focus: () => text.focus(),
    /** Not on a phone, where the keyboard would cover half of the page. */
    focusIfWanted() {
      if (matchMedia("(pointer: fine)").matches) text.focus({ preventScroll: true });
    },
    update({ isOpen: now, canCancel }) {
      isOpen = now;
      form.hidden = !now;
      keys.hidden = !now;
      over.hidden = now;
      if (!canCancel && document.activeElement === stop) text.focus();
      stop.hidden = !canCancel;
    },
  };
}
