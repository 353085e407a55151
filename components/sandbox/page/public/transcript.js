// @ts-nocheck: a browser's program.
import { el } from "./dom.js";
import { inOneLine, shortened, visible } from "./format.js";
import { lastAttempt, processing } from "./model.js";
import { viewOf } from "./view.js";

/** How many items are shown at first, and with each step back. */
const step = 120;
/** A reader is at the end if this many pixels or fewer are below. */
const nearEnd = 80;

/** The conversation. Of a long one, only the end is shown at first. */
export function transcriptView(actions) {
  const earlier = el("button", {
    type: "button",
    class: "quiet small earlier",
    hidden: true,
    onclick: () => showEarlier(),
  });
  const items = el("div", { class: "items" });
  const empty = el("p", { class: "soft empty" }, "Nothing has been said yet. Write what the agent is to do.");
  const column = el("div", { class: "column" }, earlier, items, empty);
  const node = el("main", { class: "conversation", tabIndex: -1, "aria-label": "Conversation" }, column);
  const toEnd = el(
    "button",
    { type: "button", class: "to-end", hidden: true, onclick: () => scrollToEnd() },
    "Latest ↓",
  );
  node.append(toEnd);
  const announcer = announcements();
  const views = new Map();
  const dirty = new Set();
  let known = [];
  let first = 0;
  let isAtEnd = true;

  node.addEventListener("scroll", () => {
    isAtEnd = node.scrollHeight - node.scrollTop - node.clientHeight <= nearEnd;
    if (isAtEnd) toEnd.hidden = true;
  });
  // Content that is unfolded later makes the page longer. A reader at its end stays at the end.
  new ResizeObserver(() => isAtEnd && scrollToEnd()).observe(node);

  function scrollToEnd() {
    isAtEnd = true;
    toEnd.hidden = true;
    node.scrollTop = node.scrollHeight;
  }

  function viewFor(item) {
    let view = views.get(item.key);
    if (view === undefined) {
      view = viewOf(item, actions);
      views.set(item.key, view);
      view.update();
    }
    return view;
  }

  /** Drops items at the top, so that a page that stays open does not grow without a limit. They can be shown again. */
  function dropEarliest() {
    if (items.childElementCount <= 2 * step) return;
    while (items.childElementCount > step) {
      items.firstElementChild.remove();
      views.delete(known[first].key);
      first += 1;
    }
  }

  function showEarlier() {
    const before = node.scrollHeight - node.scrollTop;
    const from = Math.max(0, first - step);
    items.prepend(...known.slice(from, first).map((item) => viewFor(item).node));
    first = from;
    showEarlierButton();
    node.scrollTop = node.scrollHeight - before;
    if (earlier.hidden) items.firstElementChild?.querySelector("summary, button, a")?.focus();
  }

  function showEarlierButton() {
    earlier.hidden = first === 0;
    earlier.textContent = `Show earlier (${first} more)`;
  }

  return {
    node,
    live: announcer.node,
    scrollToEnd,
    mark: (item) => dirty.add(item),
    update(transcript) {
      known = transcript.items;
      const isFirst = items.childElementCount === 0;
      if (isFirst) first = Math.max(0, known.length - step);
      const shown = items.childElementCount + first;
      const hasNew = known.length > shown || [...dirty].some(({ key }) => views.has(key));
      for (const item of dirty) views.get(item.key)?.update();
      dirty.clear();
      items.append(...known.slice(shown).map((item) => viewFor(item).node));
      if (isAtEnd) dropEarliest();
      empty.hidden = transcript.messages.size > 0 || transcript.status === "terminated";
      showEarlierButton();
      announcer.update(transcript, isFirst);
      if (isAtEnd) scrollToEnd();
      else if (hasNew) toEnd.hidden = false;
    },
  };
}

/** How often a screen reader gets a part of the streamed answer; milliseconds. */
const announceMs = 2000;

/** A live region for screen readers. It gets whole sentences of the answer, not each piece. */
function announcements() {
  const node = el("div", { class: "hidden", "aria-live": "polite", role: "log", "aria-label": "Answers" });
  let following;
  let said = 0;
  let lastAt = 0;
  const say = (text) => {
    node.append(el("p", {}, visible(shortened(inOneLine(text), 1000))));
    while (node.childElementCount > 8) node.firstElementChild.remove();
  };
  const textOf = (attempt) => attempt.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
  return {
    node,
    update(transcript, isFirst) {
      const current = processing(transcript);
      if (following !== undefined && (current === undefined || lastAttempt(current) !== following.attempt)) {
        const { attempt } = following;
        const rest = textOf(attempt).slice(said);
        if (rest.trim() !== "") say(rest);
        say({ done: "The answer is complete.", queued: "" }[attempt.state] ?? `The message was ${attempt.state}.`);
        following = undefined;
      }
      if (current === undefined) return;
      const attempt = lastAttempt(current);
      if (following === undefined) {
        following = { attempt };
        said = isFirst ? textOf(attempt).length : 0;
        say(`The agent works on message ${current.id}.`);
      }
      const now = Date.now();
      if (now - lastAt < announceMs) return;
      const text = textOf(attempt);
      const end = Math.max(text.lastIndexOf("\n\n"), text.lastIndexOf(". ") + 1);
      if (end <= said) return;
      lastAt = now;
      say(text.slice(said, end));
      said = end;
    },
  };
}
