// @ts-nocheck: run by agents alone, with nothing of this project.
/**
 * A web changeling that is all that an agent's page can be for a proxy: absolute links, a service worker, WebSockets,
 * server-sent events, uploads, downloads, cookies. Registers itself as spec 001 says, in `logs/servers.jsonl`.
 */
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { WebSocketServer } from "ws";

const name = process.env["CHANGELING_NAME"];

/** What a test can ask of a page of this agent, as `probe`. Runs in the browser. */
function inPage() {
  const { serviceWorker } = navigator;
  return {
    say: (text) => document.querySelector("#said")?.append(text),
    /** What the agent's own service worker says. */
    async worker() {
      await serviceWorker.register("/sw.js");
      await serviceWorker.ready;
      const isOurs = () =>
        serviceWorker.controller?.scriptURL.endsWith("/sw.js") && !serviceWorker.controller.scriptURL.includes("__");
      while (!isOurs()) {
        await new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
      }
      return (await fetch("/from-worker")).text();
    },
    /** What a WebSocket sends back, behind the sub-protocol that was agreed on. */
    echo: (text) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://${location.host}/echo`, ["other", "echo.v1"]);
        socket.onopen = () => socket.send(text);
        socket.onmessage = ({ data }) => resolve(`${socket.protocol}: ${data}`);
        socket.onclose = ({ code }) => resolve(`closed: ${code}`);
      }),
    /** Three server-sent events, each sent when the one before was heard here. */
    events: (mark) =>
      new Promise((resolve) => {
        const heard = [];
        const events = new EventSource(`/events?for=${mark}`);
        events.onmessage = ({ data, lastEventId }) => {
          heard.push(data);
          if (heard.length < 3) return fetch(`/heard?for=${mark}&id=${lastEventId}`);
          events.close();
          resolve(heard);
        };
      }),
    /** Sends so many MiB of ones. */
    async upload(mebibytes) {
      const part = new Uint8Array(2 ** 20).fill(1);
      const body = new Blob(Array(mebibytes).fill(part));
      return (await fetch("/upload", { method: "POST", body })).json();
    },
    /** What may be read of another page's address. */
    read: (url) =>
      fetch(url, { credentials: "include" }).then(
        async (response) => `${response.status} ${await response.text()}`,
        (error) => error.name,
      ),
    json: async (path) => (await fetch(path)).json(),
  };
}

const page = (title, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"><script type="module" src="/app.js"></script></head>
<body><h1>${title}</h1>${body}</body></html>`;

const files = {
  "/": ["text/html", page(name, '<a href="/about/">About</a> <img src="/logo.svg" alt="logo"> <p id="said"></p>')],
  "/about/": ["text/html", page(`About ${name}`, '<a href="/">Home</a> <a href="more">More</a>')],
  "/about/more": ["text/html", page(`More of ${name}`, "")],
  "/style.css": ["text/css", "h1 { color: rgb(1, 2, 3); }"],
  "/logo.svg": ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"/>'],
  "/app.js": [
    "text/javascript",
    `import { said } from "/module.js";\nconst probe = (${inPage})();\nprobe.say(said);\nwindow.probe = probe;`,
  ],
  "/module.js": ["text/javascript", `export const said = ${JSON.stringify(`by a module of ${name}`)};`],
  "/sw.js": [
    "text/javascript",
    `addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (event.request.url.endsWith("/from-worker")) event.respondWith(new Response(${JSON.stringify(`the worker of ${name}`)}));
});`,
  ],
};

const server = createServer((request, response) => answer(request, response).catch(() => response.destroy()));

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://here");
  const file = files[pathname];
  if (file !== undefined) return void response.writeHead(200, { "content-type": file[0] }).end(file[1]);
  if (pathname === "/upload") {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of request) {
      hash.update(part);
      bytes += part.length;
    }
    return void response.end(JSON.stringify({ bytes, hash: hash.digest("hex") }));
  }
  if (pathname === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    // The next is sent when the last has arrived: whoever buffers waits for ever.
    const next = (number) => response.write(`id: ${number}\ndata: ${number}\n\n`);
    heard.set(searchParams.get("for"), next);
    return void next(1);
  }
  if (pathname === "/heard") {
    heard.get(searchParams.get("for"))(Number(searchParams.get("id")) + 1);
    return void response.end();
  }
  if (pathname === "/set-cookie") {
    response.setHeader("set-cookie", [`probe=${name}; Path=/`, `wide=${name}; Path=/; Domain=localhost`]);
    return void response.end("set");
  }
  if (pathname === "/headers") return void response.end(JSON.stringify(request.headers));
  if (pathname === "/redirect") return void response.writeHead(302, { location: "/about/" }).end();
  response.writeHead(404, { "content-type": "text/plain" }).end(`${name} has no ${pathname}`);
}
const heard = new Map();

const sockets = new WebSocketServer({ server, path: "/echo", handleProtocols: () => "echo.v1" });
sockets.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));

server.listen(0, "127.0.0.1", () => {
  const logs = join(process.env["MNG_AGENT_STATE_DIR"], "logs");
  mkdirSync(logs, { recursive: true });
  const record = { server: "web", url: `http://127.0.0.1:${server.address().port}` };
  appendFileSync(join(logs, "servers.jsonl"), `${JSON.stringify(record)}\n`);
});
