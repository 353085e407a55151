// @ts-nocheck: a browser's program.
/**
 * Keeps a page for when nothing answers. No word of the conversation is kept in the browser: whoever logs out leaves
 * nothing behind.
 */
const CACHE = "chat-shell";
const at = (name) => new URL(name, self.registration.scope).href;
const offlinePage = at("offline.html");
const shell = [offlinePage, at("style.css")];

self.addEventListener("install", (event) => {
  const fresh = shell.map((url) => new Request(url, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate" && request.method === "GET") event.respondWith(orKept(request, offlinePage));
  else if (shell.includes(request.url)) event.respondWith(orKept(request, request.url));
});

/** What the network says, whatever it is; what was kept when it says nothing. */
async function orKept(request, kept) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(kept)) ?? Response.error();
  }
}
