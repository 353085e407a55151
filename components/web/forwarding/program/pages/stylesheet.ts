/** The style of all our pages: system fonts, the system's light or dark mode, one column on a phone. */
export const stylesheet = `
:root{color-scheme:light dark;--back:#f6f6f4;--card:#fff;--text:#1d1f21;--soft:#5f6569;--line:#dcdcd6;--link:#0b5cad;
--button:#1d1f21;--button-text:#fff;--online:#1a7f37;--starting:#9a6700;--offline:#6e7781}
@media (prefers-color-scheme:dark){:root{--back:#141517;--card:#1e2023;--text:#e9e9e6;--soft:#a3a8ac;--line:#35383c;
--link:#7ab7ff;--button:#e9e9e6;--button-text:#141517;--online:#4ac26b;--starting:#d4a72c;--offline:#8b949e}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;background:var(--back);color:var(--text);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
header,main{max-width:40rem;margin:0 auto;padding:0 1.25rem}
header{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.75rem;padding-top:1.25rem;
padding-bottom:1.25rem}
header>a,header>b{color:inherit;font-weight:650;text-decoration:none}
main{padding-bottom:3rem}
h1{font-size:1.5rem;line-height:1.25;margin:1.5rem 0 .75rem}
p{margin:.75rem 0}
.soft{color:var(--soft)}
a{color:var(--link)}
code,pre{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--card);
border:1px solid var(--line);border-radius:.375rem}
code{padding:.1em .35em;white-space:nowrap}
pre{padding:.75rem 1rem;white-space:pre-wrap}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
button,.button{display:inline-block;min-height:2.75rem;padding:.55rem 1.1rem;border:1px solid var(--button);
border-radius:.5rem;background:var(--button);color:var(--button-text);font:inherit;font-weight:550;text-decoration:none;
cursor:pointer}
button.quiet{background:transparent;border-color:var(--line);color:var(--text);font-weight:400}
ul.agents{list-style:none;margin:1rem 0;padding:0;display:grid;gap:.75rem}
ul.agents>li{padding:.6rem 1rem .35rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
ul.agents p{margin:.15rem 0}
.name{display:flex;align-items:center;justify-content:space-between;gap:1rem}
.name>a{flex:1;padding:.55rem 0;font-size:1.15rem;font-weight:600;text-decoration:none}
.name>a:hover{text-decoration:underline}
ul.agents p.message{overflow-wrap:anywhere}
ul.agents p.soft{font-size:.9rem}
button.plain{min-height:2.75rem;padding:.25rem 0;border:0;background:none;color:var(--soft);font-size:.9rem;
font-weight:400;text-decoration:underline}
.command{display:flex;align-items:stretch;gap:.5rem;margin:.75rem 0}
.command>pre{flex:1;min-width:0;margin:0}
.command>button{flex:none}
[hidden]{display:none}
form{margin:0}
.state{color:var(--soft);white-space:nowrap}
.state::before{content:"";display:inline-block;width:.6rem;height:.6rem;margin-right:.45rem;border-radius:50%;
background:var(--offline)}
.state.online::before{background:var(--online)}
.state.starting::before{background:var(--starting)}
details{position:relative}
summary{min-height:2.75rem;padding:.55rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);
cursor:pointer}
details>nav{position:absolute;right:0;z-index:1;min-width:100%;width:max-content;max-width:calc(100vw - 2.5rem);
max-height:70vh;overflow:auto;margin-top:.35rem;padding:.35rem;background:var(--card);border:1px solid var(--line);
border-radius:.5rem;box-shadow:0 .5rem 1.5rem rgb(0 0 0/.18)}
details>nav>a{display:block;padding:.6rem .75rem;border-radius:.375rem;color:inherit;text-decoration:none}
details>nav>a:hover{background:var(--back)}
`;
