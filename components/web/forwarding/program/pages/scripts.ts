/** The scripts of our own pages. Each page has exactly one of these, because its policy contains the script's hash. */

/**
 * What the main origin's pages store of a login, in addition to its cookie: `changeling key <agent id>` is the login's key,
 * and `changeling browser <agent id>` the digest that tickets may be bound to (see enter.ts). Storage belongs to one
 * port of a host, whereas cookies are sent to all of them.
 */
const storage = `
const keyOf = "changeling key ";
const browserOf = "changeling browser ";
const post = (path, body) => fetch(path, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
}).then((response) => (response.ok ? response.json() : undefined), () => undefined);
`;

/** Shows the copy buttons beside commands, if a clipboard is available. */
const copy = `
const offerCopies = () => {
  for (const button of navigator.clipboard ? document.querySelectorAll(".command>button") : []) {
    button.hidden = false;
    button.onclick = async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    };
  }
};
offerCopies();
`;

export const scripts = {
  copy,
  /** Passes a login to `/authenticate` once a user sees the page: prefetching runs no scripts, or waits. */
  authenticate: `
const go = () => location.replace("/authenticate" + location.search);
if (document.prerendering) document.addEventListener("prerenderingchange", go, { once: true });
else go();
`,
  /**
   * Stores the key of a new login, and lists the agents with valid keys. A single agent opens directly after its login.
   */
  list: `${storage}${copy}
const newOf = "changeling new key ";
const [, newId, newKey] = /^#(agent-[0-9a-f]{32})=([\\w-]{43})$/.exec(location.hash) ?? [];
if (newId !== undefined) {
  // Stored before the response, in case the page is closed; separately, because a bad key must not replace a good one.
  localStorage.setItem(newOf + newId, newKey);
  history.replaceState(null, "", location.pathname);
}
const keys = Object.entries(localStorage).flatMap(([name, key]) => {
  const prefix = [keyOf, newOf].find((each) => name.startsWith(each));
  return prefix === undefined ? [] : [[name.slice(prefix.length), key]];
});
if (keys.length > 0 || document.querySelector("h1").textContent !== "Not logged in") {
  post("/agents", { keys }).then((answer) => {
    if (answer === undefined) return;
    const good = new Map(answer.keys);
    for (const [id] of keys) {
      localStorage.removeItem(newOf + id);
      if (good.has(id)) localStorage.setItem(keyOf + id, good.get(id));
      else for (const name of [keyOf, browserOf]) localStorage.removeItem(name + id);
    }
    if (newId !== undefined && good.size === 1 && good.has(newId)) return location.replace("/" + newId + "/");
    const page = new DOMParser().parseFromString(answer.html, "text/html");
    document.title = page.title;
    document.body.replaceWith(page.body);
    offerCopies();
  });
}
`,
  /** Sends the login's key, and continues to the agent's own origin. */
  enter: `${storage}
const from = location.pathname + location.search;
const id = location.pathname.split("/", 2)[1];
const key = localStorage.getItem(keyOf + id);
const browser = new URLSearchParams(location.search).get("browser");
const known = localStorage.getItem(browserOf + id);
const isOther = browser !== null && known !== null && known !== browser;
if (key === null) location.replace("/");
else if (isOther) {
  document.querySelector("main p").textContent = "This browser’s cookies for the address of this changeling are gone, " +
    "or something else tries to use your login. If you removed the cookies, log out of it in the list, and " +
    "log in with a new login URL.";
} else {
  if (browser !== null) localStorage.setItem(browserOf + id, browser);
  post("/enter", { agent_id: id, key, from }).then((answer) => location.replace(answer?.location ?? "/"));
}
`,
} as const;
