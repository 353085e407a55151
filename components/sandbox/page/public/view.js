// @ts-nocheck: a browser's program.
import { el, name, pre, time } from "./dom.js";
import {
  blocksOf,
  briefOf,
  costText,
  durationText,
  inOneLine,
  inputText,
  piecesOf,
  shortened,
  visible,
} from "./format.js";
import { lastAttempt } from "./model.js";

/** The elements of a transcript. Each is made once, and later only its changed parts are updated. */

/** The most steps of one answer that are shown at first. */
const mostSteps = 300;

const stateWords = {
  queued: "Queued",
  processing: "Working",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  interrupted: "Interrupted",
};

/** @returns `{node, update}` of an item */
export function viewOf(item, actions) {
  if (item.kind === "message") return messageView(item, actions);
  if (item.kind === "start") return startView(item);
  const node = el("p", { class: "line" }, name(item.text), " ", time(item.at));
  return { node, update() {} };
}

function startView(item) {
  const summary = el("summary");
  const lines = el("ol", { class: "progress" });
  const node = el("details", { class: "start" }, summary, lines);
  let shown = 0;
  let wasOver = false;
  return {
    node,
    update() {
      const last = item.lines.at(-1);
      const words =
        item.branch !== undefined
          ? ["The sandbox is ready, on branch ", el("code", {}, name(item.branch))]
          : item.isOver
            ? ["The sandbox did not start"]
            : [
                "Starting the sandbox",
                last === undefined ? "" : ": ",
                last === undefined ? "" : name(shortened(last, 200)),
              ];
      summary.replaceChildren(el("span", { class: item.isOver ? "dot" : "dot is-busy" }), el("span", {}, ...words));
      for (; shown < item.lines.length; shown++) lines.append(el("li", {}, visible(item.lines[shown])));
      if (item.isOver && !wasOver) node.open = item.branch === undefined && item.lines.length > 0;
      wasOver = item.isOver;
    },
  };
}

function messageView(item, actions) {
  const isOwn = item.author === actions.self();
  const head = el("div", { class: "head" }, el("strong", {}, name(item.author)), time(item.at));
  const state = el("span", { class: "state" });
  head.append(state);
  const text = el("div", { class: "text" });
  fillBlocks(text, item.text, []);
  const answers = el("div", { class: "answers" });
  const retry = el("button", { type: "button", class: "quiet small", onclick: () => actions.retry(item) }, "Try again");
  const node = el(
    "article",
    {
      class: isOwn ? "message own" : "message",
      id: item.key,
      "aria-label": `Message ${item.id} by ${inOneLine(item.author)}`,
    },
    el("div", { class: "prompt" }, head, text),
    answers,
  );
  const views = [];
  return {
    node,
    update() {
      const last = lastAttempt(item);
      state.textContent = last.state === "done" ? "" : stateWords[last.state];
      state.className = `state ${last.state}`;
      node.classList.toggle("is-waiting", last.state === "queued");
      item.attempts.forEach((attempt, index) => {
        if (views[index] === undefined) {
          views[index] = attemptView(attempt);
          answers.append(views[index].node);
        }
        const isLast = attempt === last;
        if (isLast || !views[index].isFolded) views[index].update({ isLast });
      });
      const canRetry = ["failed", "cancelled", "interrupted"].includes(last.state) && actions.mayChange(item);
      if (canRetry) views.at(-1).foot.append(retry);
      else retry.remove();
    },
  };
}

function attemptView(attempt) {
  const steps = el("div", { class: "steps" });
  const foot = el("div", { class: "foot" });
  const body = el("div", { class: "answer" }, steps, foot);
  const slot = el("div", {}, body);
  const parts = [];
  let first = 0;
  const view = {
    node: slot,
    foot: el("span"),
    isFolded: false,
    update({ isLast }) {
      body.hidden =
        attempt.state === "queued" || (attempt.parts.length === 0 && attempt.state === "cancelled" && !isLast);
      body.className = `answer ${attempt.state}`;
      if (parts.length === 0 && attempt.parts.length > mostSteps) {
        first = attempt.parts.length - mostSteps;
        steps.append(earlierButton());
      }
      for (let at = Math.max(first, parts.length - 1, 0); at < attempt.parts.length; at++) showPart(at);
      for (const part of parts) part?.refresh();
      foot.replaceChildren(...footOf(attempt), view.foot);
      foot.hidden = foot.textContent === "" && view.foot.childElementCount === 0;
      if (!isLast && !view.isFolded) fold();
    },
  };

  function showPart(at) {
    const part = attempt.parts[at];
    if (parts[at] === undefined) {
      parts[at] = partView(part);
      steps.append(parts[at].node);
    }
    parts[at].update();
  }

  function earlierButton() {
    const button = el("button", { type: "button", class: "quiet small" }, `Show ${first} earlier steps`);
    button.addEventListener("click", () => {
      const nodes = attempt.parts.slice(0, first).map((part, at) => {
        parts[at] = partView(part);
        parts[at].update();
        return parts[at].node;
      });
      first = 0;
      button.replaceWith(...nodes);
    });
    return button;
  }

  function fold() {
    view.isFolded = true;
    if (attempt.parts.length === 0 && attempt.failure === undefined) return;
    const summary = el("summary", {}, `Attempt ${attempt.number}: ${stateWords[attempt.state].toLowerCase()}`);
    slot.replaceChildren(el("details", { class: "attempt" }, summary, body));
  }
  return view;
}

function footOf({ state, failure, startedAt, endedAt, costUsd, retriedBy, number }) {
  const words = [];
  if (number > 1) words.push(el("span", {}, `Attempt ${number}, by `, name(retriedBy ?? "?")));
  if (state === "failed" || state === "interrupted") {
    const what = state === "failed" ? "Failed" : "Interrupted: it may have been executed in part";
    const why = failure === undefined ? "." : `: ${visible(shortened(failure.message, 2000))}`;
    const code = failure === undefined || failure.code === "" ? "" : el("code", {}, name(failure.code));
    words.push(el("span", { class: "problem" }, el("bdi", {}, what + why), " ", code));
  }
  if (state === "cancelled") words.push(el("span", {}, "Cancelled"));
  const seconds =
    startedAt === undefined || endedAt === undefined ? 0 : (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
  if (seconds >= 1) words.push(el("span", {}, durationText(seconds)));
  if (costUsd > 0) words.push(el("span", {}, costText(costUsd)));
  return words;
}

function partView(part) {
  if (part.kind === "text") {
    const node = el("div", { class: "text" });
    const blocks = [];
    let shown = -1;
    return {
      node,
      refresh() {},
      update() {
        if (shown === part.text.length) return;
        shown = part.text.length;
        fillBlocks(node, part.text, blocks);
      },
    };
  }
  if (part.kind === "notice") {
    return { node: el("p", { class: "notice" }, name(shortened(part.text, 2000))), update() {}, refresh() {} };
  }
  return toolView(part);
}

/** Renders a tool call's content when a person opens it; most are never opened. */
function toolView(part) {
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const words = el("span", { class: "hidden" });
  const brief = briefOf(part.input);
  const summary = el(
    "summary",
    {},
    mark,
    el("span", { class: "tool-name" }, name(shortened(part.name, 80))),
    el("code", { class: "brief" }, brief === "" ? "" : name(brief)),
    words,
  );
  const content = el("div", { class: "content" });
  const node = el("details", { class: "tool", ontoggle: () => fill() }, summary, content);
  let state;
  let filled;
  function fill() {
    if (!node.open || filled === state) return;
    filled = state;
    const output =
      part.output === undefined
        ? []
        : [
            el("p", { class: "label" }, part.isError ? "Error" : "Output"),
            pre(part.output === "" ? "(nothing)" : part.output, {
              "aria-label": "Output",
              class: part.isError ? "is-error" : "",
            }),
          ];
    const input = pre(inputText(part.input), { "aria-label": "Input" });
    content.replaceChildren(el("p", { class: "label" }, "Input"), input, ...output);
  }
  return {
    node,
    update() {},
    refresh() {
      const now = part.output === undefined ? "busy" : part.isError ? "error" : "ok";
      if (now === state) return;
      state = now;
      mark.className = `mark ${state}`;
      words.textContent = { busy: " (runs)", error: " (failed)", ok: "" }[state];
      fill();
    },
  };
}

/**
 * Shows a text as paragraphs and code blocks, and replaces only the changed ones.
 *
 * @param shown the blocks that are in the node; changed in place
 */
function fillBlocks(node, text, shown) {
  const blocks = blocksOf(visible(text));
  blocks.forEach((block, at) => {
    if (shown[at]?.kind === block.kind && shown[at].text === block.text) return;
    const made =
      block.kind === "code" ? codeBlock(block.text) : el("p", { dir: "auto" }, ...piecesOf(block.text).map(pieceNode));
    if (node.children[at] === undefined) node.append(made);
    else node.children[at].replaceWith(made);
    shown[at] = block;
  });
}

function codeBlock(text) {
  return el("pre", { tabIndex: 0, "aria-label": "Code" }, el("code", {}, text));
}

function pieceNode({ kind, text }) {
  if (kind === "code") return el("code", {}, el("bdi", {}, text));
  if (kind === "strong") return el("strong", {}, text);
  if (kind === "link") return el("a", { href: text, target: "_blank", rel: "noopener noreferrer nofollow" }, text);
  return text;
}
