// @ts-nocheck: a browser's program.
import { ownLogin } from "./api.js";
import { el, name } from "./dom.js";
import { costText, durationText, inOneLine } from "./format.js";
import { lastAttempt, processing } from "./model.js";

/** The session's state: the class of its colour, and the words. */
function stateOf({ view, transcript }) {
  if (transcript.status === "terminated") return ["terminated", "Terminated"];
  const current = processing(transcript);
  if (current !== undefined) {
    const { startedAt } = lastAttempt(current);
    const seconds = startedAt === undefined ? 0 : (Date.now() - Date.parse(startedAt)) / 1000;
    const awake = transcript.isAsleep ? "Waking up" : "Working";
    const word = transcript.status === "paused" ? "Pausing after this message" : awake;
    return ["working", seconds < 2 ? word : `${word} · ${durationText(seconds)}`];
  }
  if (transcript.status === "paused") return ["paused", "Paused"];
  if (view !== undefined && !view.isReady && !transcript.start?.branch) return ["starting", "Starting"];
  if (transcript.isAsleep) return ["asleep", "Asleep"];
  return ["running", "Ready"];
}

/** The header: title, state, people, usage, and the owners' controls. */
export function headerView(actions) {
  const title = el("h1", {}, "Session");
  const facts = el("p", { class: "facts" });
  const pill = el("span", { class: "pill" });
  const people = el("ul", { class: "people", "aria-label": "Here now" });
  const use = el("div", { class: "use" });
  const pause = el("button", { type: "button", class: "quiet small", onclick: () => actions.pause() }, "Pause");
  const resume = el("button", { type: "button", class: "quiet small", onclick: () => actions.resume() }, "Resume");
  const stop = el(
    "button",
    { type: "button", class: "quiet small danger", onclick: () => dialog.showModal() },
    "Stop …",
  );
  const controls = el("div", { class: "controls" }, pause, resume, stop);
  const logOut = el(
    "button",
    { type: "button", class: "quiet small log-out", onclick: () => actions.logOut() },
    "Log out",
  );
  const tabs = {
    conversation: tab("Conversation", () => actions.showTab("conversation")),
    changes: tab("Changes", () => actions.showTab("changes")),
  };
  const dialog = el(
    "dialog",
    { "aria-labelledby": "stop-title" },
    el("h2", { id: "stop-title" }, "Stop this session?"),
    el("p", {}, "Its sandbox is removed, with all work that was not pushed or pulled. The transcript stays."),
    el(
      "form",
      { method: "dialog" },
      el("button", { class: "quiet", autofocus: true }, "Keep it"),
      el("button", { class: "danger", onclick: () => actions.stop() }, "Stop the session"),
    ),
  );
  const home = ownLogin() === undefined ? undefined : el("a", { class: "back", href: "/" }, "Sessions");
  const node = el(
    "header",
    {},
    el(
      "div",
      { class: "column wide" },
      el("div", { class: "title-row" }, home, title, pill, people, controls, logOut),
      el(
        "div",
        { class: "tool-row" },
        el("nav", { "aria-label": "Parts of the session" }, ...Object.values(tabs)),
        facts,
        use,
      ),
    ),
  );
  let shownPeople = "";

  function update({ view, transcript }) {
    const [kind, word] = stateOf({ view, transcript });
    pill.className = `pill ${kind}`;
    setText(pill, word);
    pill.title = kind === "asleep" ? "The sandbox was idle. The next message wakes it up." : "";
    const shown = view === undefined ? "Session" : inOneLine(view.title || view.changeling);
    setText(title, shown);
    const isBusy = kind === "working" ? "● " : "";
    document.title = `${isBusy}${shown}`;
    if (view !== undefined) {
      const branch = transcript.start?.branch ?? view.branch;
      facts.replaceChildren(
        ...(view.title ? [name(view.changeling), " · "] : []),
        ...(branch === undefined ? [] : ["branch ", el("code", {}, name(branch)), " · "]),
        `session ${view.id.slice(0, 6)}`,
      );
      showUse(use, view);
    }
    showPeople(transcript.present);
    const isOpen = transcript.status !== "terminated";
    controls.hidden = !isOpen || !actions.isOwner();
    const isPaused = transcript.status === "paused";
    const hadFocus = [pause, resume].includes(document.activeElement);
    pause.hidden = isPaused;
    resume.hidden = !isPaused;
    if (hadFocus) (isPaused ? resume : pause).focus();
  }

  function showPeople(present) {
    const self = actions.self();
    const all = [self, ...present.filter((each) => each !== self)].filter(
      (each) => each !== undefined && present.includes(each),
    );
    if (JSON.stringify(all) === shownPeople) return;
    shownPeople = JSON.stringify(all);
    people.replaceChildren(
      ...all
        .slice(0, 5)
        .map((each) =>
          el(
            "li",
            { title: inOneLine(each), "data-hue": String(hueOf(each)) },
            el("span", { "aria-hidden": "true" }, initialOf(each)),
            el("span", { class: "hidden" }, name(each), each === self ? " (you)" : ""),
          ),
        ),
      ...(all.length > 5 ? [el("li", { title: all.slice(5).map(inOneLine).join(", ") }, `+${all.length - 5}`)] : []),
    );
  }

  function tab(words, onclick) {
    return el("button", { type: "button", class: "tab", onclick }, words);
  }
  function setTab(chosen) {
    for (const [key, button] of Object.entries(tabs)) button.setAttribute("aria-pressed", String(key === chosen));
  }
  setTab("conversation");
  return { node, dialog, update, setTab };
}

function showUse(use, { limits, used }) {
  const parts = [
    part(
      used.messages,
      limits.messages,
      `${used.messages}`,
      `${limits.messages}`,
      used.messages === 1 ? "message" : "messages",
    ),
    part(used.minutes, limits.minutes, durationText(used.minutes * 60), durationText((limits.minutes ?? 0) * 60), ""),
    part(used.costUsd, limits.costUsd, costText(used.costUsd), costText(limits.costUsd ?? 0), ""),
  ];
  use.replaceChildren(...parts.filter((each) => each !== undefined));
}

/** A used amount, and its limit if there is one. */
function part(value, limit, used, of, unit) {
  if (limit === undefined) return value === 0 ? undefined : el("span", {}, `${used} ${unit}`.trim());
  const meter = el("meter", { min: 0, max: limit, high: limit * 0.8, optimum: 0, value: Math.min(value, limit) });
  meter.setAttribute("aria-hidden", "true");
  return el("span", {}, `${used} of ${of} ${unit}`.trim(), " ", meter);
}

function initialOf(person) {
  const [first = "?"] = new Intl.Segmenter().segment(inOneLine(person))[Symbol.iterator]().next().value?.segment ?? "?";
  return first.toUpperCase();
}

/** A number from 0 to 7 that selects a person's colour; always the same for a name. */
function hueOf(person) {
  let sum = 0;
  for (const character of person) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return sum % 8;
}

/** Leaves an unchanged text alone, because a screen reader would read it again. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
