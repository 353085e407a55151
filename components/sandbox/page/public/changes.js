// @ts-nocheck: a browser's program.
import { parseDiff } from "./diff.js";
import { el, name } from "./dom.js";
import { visible } from "./format.js";

/** The most lines of a file that are shown at once, and the most lines of all files that are unfolded at first. */
const mostLines = 1500;
const mostUnfolded = 500;

const changeWords = { added: "new", deleted: "deleted", renamed: "renamed", binary: "binary" };

/** The view of the branch's diff. */
export function changesView(api) {
  const status = el("p", { class: "soft", role: "status" });
  const files = el("div", { class: "files" });
  const again = el("button", { type: "button", class: "quiet small", onclick: () => load() }, "Refresh");
  const node = el(
    "section",
    { class: "changes", "aria-label": "Changes" },
    el("div", { class: "changes-head" }, status, again),
    files,
  );
  let last;
  let isLoading = false;

  async function load() {
    if (isLoading) return;
    isLoading = true;
    again.disabled = true;
    if (last === undefined) status.textContent = "Loading the changes …";
    try {
      const text = await api.diff();
      if (text !== last) show(text);
      last = text;
    } catch (error) {
      status.textContent = error.message;
    } finally {
      isLoading = false;
      again.disabled = false;
    }
  }

  function show(text) {
    const parsed = parseDiff(text);
    const [added, removed] = [sum(parsed, "added"), sum(parsed, "removed")];
    status.replaceChildren(
      ...(parsed.length === 0
        ? ["Nothing has changed on this branch."]
        : [`${parsed.length} ${parsed.length === 1 ? "file" : "files"} changed `, counts({ added, removed })]),
    );
    const opened = new Map([...files.children].map((each) => [each.dataset.path, each.open]));
    let room = mostUnfolded;
    files.replaceChildren(
      ...parsed.map((file) => {
        room -= file.lines.length;
        return fileView(file, opened.get(file.path) ?? room >= 0);
      }),
    );
  }
  return { node, load };
}

function fileView(file, isOpen) {
  const { path, from, change, added, removed } = file;
  const title = el("span", { class: "path" }, ...(from === undefined ? [] : [name(from), " → "]), name(path));
  const kind = changeWords[change];
  const summary = el("summary", {}, title, kind && el("span", { class: "soft" }, kind), counts({ added, removed }));
  const body = el("div", { class: "diff", tabIndex: 0, role: "group", "aria-label": `Changes of ${path}` });
  const node = el("details", { class: "file", ontoggle: () => fill() }, summary, body);
  node.dataset.path = path;
  let shown = 0;
  function fill() {
    if (!node.open || shown > 0) return;
    if (file.lines.length === 0)
      body.append(el("p", { class: "soft" }, change === "binary" ? "Binary file" : "No lines"));
    more();
  }
  function more() {
    const next = file.lines.slice(shown, shown + mostLines);
    body.append(...next.map(lineView));
    shown += next.length;
    const left = file.lines.length - shown;
    if (left <= 0) return;
    const button = el("button", { type: "button", class: "quiet small" }, `Show ${left} more lines`);
    button.addEventListener("click", () => {
      button.remove();
      more();
    });
    body.append(button);
  }
  node.open = isOpen;
  fill();
  return node;
}

const signs = { add: "+", remove: "−", same: " ", hunk: "", note: "" };

function lineView({ kind, text, before, after }) {
  const number = (value) => el("span", { class: "number", "data-number": value === undefined ? "" : String(value) });
  const content = el("span", { class: "code" }, visible(text));
  if (kind === "hunk" || kind === "note") return el("div", { class: `diff-line ${kind}` }, content);
  return el(
    "div",
    { class: `diff-line ${kind}` },
    number(before),
    number(after),
    el("span", { class: "sign" }, signs[kind]),
    content,
  );
}

function counts({ added, removed }) {
  return el(
    "span",
    { class: "counts" },
    el("span", { class: "added", "aria-label": `${added} lines added` }, `+${added}`),
    " ",
    el("span", { class: "removed", "aria-label": `${removed} lines removed` }, `−${removed}`),
  );
}

function sum(files, key) {
  return files.reduce((total, file) => total + file[key], 0);
}
