import { createHash } from "node:crypto";
import { agentPrefix } from "./route.ts";

/**
 * Rewrites absolute links where agents share an origin (`routing = "path"`): a request for `/logo.png` from an agent's
 * page must become `/<agent_id>/logo.png`.
 *
 * Three parts share the work. A script at the top of each page rewrites requests by scripts and navigation by users: fetch, XMLHttpRequest, EventSource, WebSocket, beacons, workers, links, forms, history,
 * `<base>`. A service worker rewrites requests by the page itself once it controls the page: images, styles, modules.
 * The server redirects remaining misdirected requests by their Referer.
 *
 * Not rewritten:
 * - `location = "/"` and `location.reload()` of the root, from a script: these open the list of agents. Other paths are
 *   redirected by their Referer, unless the page has `Referrer-Policy: no-referrer`.
 * - What a page reads from its own address: `location.pathname` has the prefix, so a router in the page must be
 *   configured for it (the server gets it in X-Forwarded-Prefix).
 * - `cache.addAll(["/"])` in an agent's own service worker, `redirect: "error"` and `"manual"` for absolute paths, and
 *   cookies that scripts set with `path=/`.
 * - Cookies with the prefix `__Host-`: browsers require the whole origin for them, which is not the agent's.
 * - Isolation: to the browser, all agents are one origin. One agent's page can request and read another's.
 *
 * With `routing = "host"` none of this is needed, and pages are not changed.
 */

export const assetFolder = "/__changelings";

/** For the top of every page. As the text of a script element, it must not contain `</script`. */
export function pageScript(prefix: string): string {
  return `(()=>{${addPrefixScript(prefix)}
const rewrite=(value,base=document.baseURI)=>{
  try{const url=new URL(value,base);return url.host===location.host&&addPrefix(url)?url.href:value}catch{return value}
};
const construct=(own,[url,...rest],target)=>{
  const rewritten=rewrite(url);
  return Reflect.construct(own,[own===sockets&&rewritten!==url?rewritten.replace(/^http/,"ws"):rewritten,...rest],target);
};
const sockets=window.WebSocket;
for(const name of ["WebSocket","EventSource","Worker","SharedWorker"])
  if(window[name])window[name]=new Proxy(window[name],{construct});
const patch=(holder,name,change)=>{
  const own=holder&&holder[name];
  if(own)holder[name]=function(...values){return own.apply(this,change.call(this,values))};
};
const at=(index)=>(values)=>values.map((value,i)=>i===index&&value!=null&&value!==""&&!(window.Request&&value instanceof Request)?rewrite(value):value);
patch(window,"fetch",at(0));
patch(window,"open",at(0));
patch(window.XMLHttpRequest&&XMLHttpRequest.prototype,"open",at(1));
patch(window.Navigator&&Navigator.prototype,"sendBeacon",at(0));
patch(History.prototype,"pushState",at(2));
patch(History.prototype,"replaceState",at(2));
const form=(element)=>{const action=element.getAttribute("action");if(action)element.setAttribute("action",rewrite(action))};
patch(HTMLFormElement.prototype,"submit",function(values){form(this);return values});
addEventListener("submit",(event)=>{
  form(event.target);
  const by=event.submitter;
  if(by&&by.hasAttribute("formaction"))by.setAttribute("formaction",rewrite(by.getAttribute("formaction")));
},true);
const click=(event)=>{
  const link=event.composedPath().find((node)=>node instanceof HTMLAnchorElement||node instanceof HTMLAreaElement);
  const to=link&&link.href&&rewrite(link.href);
  if(to&&to!==link.href)link.href=to;
};
addEventListener("click",click,true);
addEventListener("auxclick",click,true);
const bases=new MutationObserver(()=>{
  for(const base of document.querySelectorAll("base[href]")){
    const href=base.getAttribute("href"),to=rewrite(href,location.href);
    if(to!==href)base.setAttribute("href",to);
  }
});
bases.observe(document,{childList:true,subtree:true});
addEventListener("DOMContentLoaded",()=>bases.disconnect());
const workers=navigator.serviceWorker;
if(!workers)return;
patch(ServiceWorkerContainer.prototype,"register",([url,options])=>
  [rewrite(url),options&&options.scope!==undefined?{...options,scope:rewrite(options.scope)}:options]);
workers.getRegistration(prefix+"/").then((there)=>{
  if(!there||new URL(there.scope).pathname!==prefix+"/")
    return workers.register(prefix+"${assetFolder}/sw.js",{scope:prefix+"/"});
}).catch(()=>{});
})()`;
}

/** The service worker for an agent without its own. */
export function workerScript(prefix: string): string {
  return `${workerPrelude(prefix)}
addEventListener("install",()=>skipWaiting());
addEventListener("activate",(event)=>event.waitUntil(clients.claim()));
`;
}

/** Prepended to an agent's own service worker, which replaces ours. Also works in a module. */
export function workerPrelude(prefix: string): string {
  return `(()=>{${addPrefixScript(prefix)}
const rewritten=(value)=>{const url=new URL(value,location.href);return url.origin===location.origin&&addPrefix(url)?url.href:undefined};
addEventListener("fetch",(event)=>{
  const to=rewritten(event.request.url);
  if(to===undefined)return;
  event.stopImmediatePropagation();
  event.respondWith(Response.redirect(to,307));
});
const own={fetch:self.fetch,importScripts:self.importScripts};
self.fetch=(input,init)=>own.fetch.call(self,input instanceof Request?input:rewritten(input)||input,init);
self.importScripts=(...urls)=>own.importScripts.apply(self,urls.map((url)=>rewritten(url)||url));
})();
`;
}

/** For a content security policy that lists the allowed scripts. */
export function pageScriptHash(prefix: string): string {
  return `sha256-${createHash("sha256").update(pageScript(prefix)).digest("base64")}`;
}

/** `addPrefix(url)` adds the prefix to a URL, and returns whether it was missing. */
function addPrefixScript(prefix: string): string {
  return `"use strict";const prefix=${literal(prefix)},agent=${literal(agentPrefix(prefix))};
const addPrefix=(url)=>{
  if(!/^(http|ws)s?:$/.test(url.protocol)||url.pathname===agent||url.pathname.startsWith(agent+"/"))return false;
  url.pathname=prefix+url.pathname;
  return true;
};`;
}

/** Escaped for a script within a page. */
function literal(text: string): string {
  return JSON.stringify(text)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}
