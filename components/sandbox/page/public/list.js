// @ts-nocheck: a browser's program.
import { apiOf, logOut, ownLogin } from "./api.js";
import { el, name } from "./dom.js";
import { agoText } from "./format.js";

const everyMs = 10_000;
const words = { running: "Running", asleep: "Asleep", paused: "Paused", terminated: "Terminated" };

/** The list of sessions. */
export function openList(onRefused) {
  const api = apiOf(undefined);
  let sessions;
  const list = el("ul", { class: "sessions" });
  const status = el("p", { class: "soft", role: "status" }, "One moment.");
  const all = el("input", { type: "checkbox", onchange: () => show() });
  const problem = el("p", { class: "soft", role: "alert" });
  const filter = el("label", { class: "filter", hidden: true }, all, " Terminated sessions too");
  document.title = "Sessions";
  document.body.replaceChildren(
    el(
      "main",
      { class: "page" },
      el("div", { class: "page-head" }, el("h1", {}, "Sessions"), filter),
      status,
      list,
      el(
        "p",
        { class: "soft signed" },
        el("span", {}, "Logged in as ", name(ownLogin()?.person ?? "?"), "."),
        el("button", { type: "button", class: "quiet small", onclick: leave }, "Log out"),
      ),
      problem,
    ),
  );

  async function leave() {
    await logOut().catch((error) => {
      problem.textContent = error.message;
    });
  }

  function show() {
    if (sessions === undefined) return;
    filter.hidden = sessions.every((each) => each.status !== "terminated");
    const shown = sessions.filter((each) => all.checked || each.status !== "terminated");
    const focused = document.activeElement?.getAttribute("href");
    list.replaceChildren(...shown.map(item));
    if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    status.hidden = shown.length > 0;
    if (shown.length === 0) {
      const what = sessions.length === 0 ? "There is no session yet." : "No session is active.";
      status.replaceChildren(`${what} Start one with: `, el("code", {}, "npx changeling sandbox start NAME"));
    }
  }

  async function refresh() {
    try {
      sessions = await api.view();
      document.body.classList.remove("is-offline");
      show();
    } catch (error) {
      if (onRefused(error)) return;
      status.hidden = false;
      status.textContent = `${error.message} Trying again …`;
    }
    setTimeout(whenVisible, everyMs);
  }

  function whenVisible() {
    if (!document.hidden) return refresh();
    document.addEventListener("visibilitychange", whenVisible, { once: true });
  }
  refresh();
}

function item({ id, title, changeling, status, isAsleep, updatedAt }) {
  const shown = status === "running" && isAsleep ? "asleep" : status;
  return el(
    "li",
    {},
    el(
      "a",
      { href: `/sessions/${id}` },
      el("span", { class: "session-title" }, name(title || changeling)),
      el("span", { class: `pill ${shown}` }, words[shown]),
      el(
        "span",
        { class: "soft" },
        name(changeling),
        ` · ${id.slice(0, 6)} · last change `,
        el("time", { dateTime: updatedAt }, agoText(updatedAt, Date.now())),
      ),
    ),
  );
}
