// @ts-nocheck: a browser's program.
import { forget, isKnown, Refused, takeLogin } from "./api.js";
import { el } from "./dom.js";
import { openList } from "./list.js";
import { openSession } from "./session.js";

const [, session] = /^\/sessions\/([0-9a-f]{20})$/.exec(location.pathname) ?? [];

/** Replaces the page. */
function showNotice(title, ...content) {
  document.title = title;
  document.body.className = "";
  document.body.replaceChildren(el("main", { class: "page" }, el("h1", {}, title), ...content));
}

function showLogin(reason) {
  showNotice(
    "Not logged in",
    el("p", {}, reason),
    el("p", {}, "Open the page again on the machine that your sandboxes are deployed from:"),
    el("pre", { tabIndex: 0 }, "npx changeling sandbox open NAME"),
    el("p", { class: "soft" }, "If you were invited to a session, open your link again, or ask for a new one."),
  );
}

/** Handles a request that was rejected because of the login or the session. @returns whether it replaced the page */
function onRefused(error) {
  if (!(error instanceof Refused)) return false;
  if (error.code === "unauthorized") {
    forget(session);
    showLogin("Your access has ended, or this link was not made for this session.");
    return true;
  }
  if (error.code === "not_found") {
    showNotice(
      "No such session",
      el("p", {}, "There is no session at this address."),
      el("p", {}, el("a", { href: "/" }, "All sessions")),
    );
    return true;
  }
  return false;
}

async function start() {
  try {
    await takeLogin(session);
  } catch (error) {
    if (error instanceof Refused && error.code === "forbidden" && !isKnown(session)) {
      return showLogin("Each login URL works once, and for 15 minutes.");
    }
    if (!isKnown(session)) return showLogin(error.message);
  }
  if (!isKnown(session)) return showLogin("This browser tab is not logged in.");
  if (session === undefined) return openList(onRefused);
  return openSession(session, onRefused);
}

addEventListener("hashchange", () => location.reload());
await start();
