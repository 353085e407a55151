// @ts-nocheck: a browser's program.
import { apiOf, logOut, ownLogin, Refused } from "./api.js";
import { changesView } from "./changes.js";
import { composerView } from "./composer.js";
import { el } from "./dom.js";
import { headerView } from "./header.js";
import { apply, emptyTranscript, processing } from "./model.js";
import { queueView } from "./queue.js";
import { transcriptView } from "./transcript.js";

/** A hidden tab closes its connection after this time, because a browser has only six per host. */
const hiddenMs = 60_000;
const longestPauseMs = 8_000;

/** The page of one session. */
export function openSession(id, onRefused) {
  const api = apiOf(id);
  const transcript = emptyTranscript();
  /** The parts of the session that no event contains: title, people, limits, usage. */
  let view;
  let isLive = false;
  let isLoading = false;
  let isOver = false;

  const self = () => view?.you?.name ?? ownLogin()?.person;
  const isOwner = () => view?.you === undefined || view.you.role === "owner";
  const actions = {
    self,
    isOwner,
    mayChange: (item) => isOpen() && (isOwner() || item.author === self()),
    retry: (item) => act("retry", { message: item.id }),
    cancel: (item) => act("cancel", { message: item.id }),
    cancelStart: () => act("cancel"),
    pause: () => act("pause"),
    resume: () => act("resume"),
    stop: () => act("stop"),
    logOut: () => logOut().catch(onError),
    escape: cancelCurrent,
    showTab,
  };
  const isOpen = () => transcript.status !== "terminated";

  const header = headerView(actions);
  const conversation = transcriptView(actions);
  const changes = changesView(api);
  const queue = queueView(actions);
  const alerts = el("div", { class: "alerts", role: "alert" });
  const banner = el("p", { class: "banner", role: "status", hidden: true });
  const composer = composerView(id, { api, onError, cancel: cancelCurrent });
  document.body.className = "session";
  document.body.replaceChildren(
    el("a", { class: "skip", href: "#text", onclick: skip }, "Skip to the message box"),
    header.node,
    banner,
    conversation.node,
    changes.node,
    el("footer", {}, el("div", { class: "column foot-column" }, alerts, queue.node, composer.node)),
    header.dialog,
    conversation.live,
  );
  changes.node.hidden = true;

  function skip(event) {
    event.preventDefault();
    composer.focus();
  }

  function showTab(tab) {
    const isChanges = tab === "changes";
    changes.node.hidden = !isChanges;
    conversation.node.hidden = isChanges;
    header.setTab(tab);
    if (isChanges) changes.load();
    else conversation.scrollToEnd();
  }

  async function act(what, body) {
    try {
      const answer = await api.post(`/${what}`, body);
      if (answer?.cursor !== undefined) view = answer;
      show();
    } catch (error) {
      onError(error);
    }
  }

  function cancelCurrent() {
    const current = processing(transcript);
    if (current !== undefined && actions.mayChange(current)) actions.cancel(current);
    else if (transcript.start !== undefined && !transcript.start.isOver && isOwner()) actions.cancelStart();
    else return false;
    return true;
  }

  function onError(error) {
    if (onRefused(error)) {
      isOver = true;
      return;
    }
    const close = el("button", { type: "button", class: "quiet small", onclick: () => alert.remove() }, "Dismiss");
    const alert = el("p", {}, el("bdi", {}, error.message), close);
    alerts.replaceChildren(alert);
  }

  /** Draws at most once per frame, however many events arrive. */
  let isPlanned = false;
  function show() {
    if (isPlanned || isLoading) return;
    isPlanned = true;
    const run = () => {
      isPlanned = false;
      if (isOver) return;
      header.update({ view, transcript, isLive });
      // A frame that was planned before the load began may come in the middle of it.
      if (!isLoading) conversation.update(transcript);
      queue.update(transcript);
      const current = processing(transcript);
      const start = transcript.start;
      const canCancel =
        (current !== undefined && actions.mayChange(current)) ||
        (start !== undefined && !start.isOver && isOwner() && isOpen());
      composer.update({ isOpen: isOpen(), canCancel });
    };
    // A hidden tab draws no frames.
    if (document.hidden) setTimeout(run, 200);
    else requestAnimationFrame(run);
  }

  /** The events after which the view must be read again. */
  const viewEvents = new Set(["finished", "status", "ready", "invited", "revoked", "snapshot", "message"]);
  function take(events) {
    let isChanged = false;
    for (const event of events) {
      const item = apply(transcript, event);
      if (item !== undefined) conversation.mark(item);
      isChanged ||= viewEvents.has(event.type);
    }
    if (events.some(({ type }) => type === "finished") && !changes.node.hidden) changes.load();
    if (isChanged) refreshView();
    show();
  }

  let viewTimer;
  function refreshView() {
    clearTimeout(viewTimer);
    viewTimer = setTimeout(async () => {
      try {
        view = await api.view();
        show();
      } catch (error) {
        if (error instanceof Refused && error.code === "unauthorized") onError(error);
      }
    }, 150);
  }

  function setLive(now, why = "") {
    isLive = now;
    banner.hidden = now;
    document.body.classList.toggle("is-offline", !now);
    if (!now) banner.textContent = why;
    show();
  }

  async function connect(signal) {
    view = await api.view();
    transcript.present = view.present;
    transcript.status = view.status;
    transcript.isAsleep = view.isAsleep;
    show();
    // Stored events come in large pages. A long transcript is drawn when all pages have arrived.
    for (isLoading = true; isLoading; ) {
      const events = await api.eventsAfter(transcript.cursor);
      isLoading = events.length === 1000;
      take(events);
    }
    setLive(true);
    composer.flush();
    for await (const events of api.follow(transcript.cursor, signal)) take(events);
  }

  async function run() {
    for (let failures = 0; !isOver; ) {
      const ending = new AbortController();
      let isHidden = false;
      let timer;
      const onHidden = () => {
        isHidden = true;
        ending.abort();
      };
      const onVisibility = () => {
        clearTimeout(timer);
        if (document.hidden) timer = setTimeout(onHidden, hiddenMs);
      };
      document.addEventListener("visibilitychange", onVisibility);
      onVisibility();
      try {
        await connect(ending.signal);
      } catch (error) {
        if (!ending.signal.aborted && onRefused(error)) return;
      } finally {
        isLoading = false;
        clearTimeout(timer);
        document.removeEventListener("visibilitychange", onVisibility);
      }
      if (isHidden) {
        await becomesVisible();
        continue;
      }
      failures = isLive ? 0 : failures + 1;
      setLive(false, navigator.onLine ? "Connection lost. Reconnecting …" : "You are offline.");
      await pause(Math.min(longestPauseMs, 500 * 2 ** failures));
    }
  }

  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]"))
      return;
    if (cancelCurrent()) event.preventDefault();
  });
  setInterval(() => {
    if (!document.hidden && processing(transcript) !== undefined) show();
  }, 1000);
  run();
  composer.focusIfWanted();
}

function becomesVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

/** Waits until the time has passed or the network is back. */
function pause(ms) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
  });
}
