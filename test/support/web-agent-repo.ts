import { type Files, headOf, Repository } from "./repository.ts";

/**
 * The source of a small web agent: it registers the server `web` on a free port, and responds with the contents of its
 * repo, its settings and its environment.
 */
export class WebAgentRepo extends Repository {
  constructor() {
    super({ name: "web-agent", make: (repository) => repository.commit(first, past("First")) });
  }

  /** Commits the files with an identity. @returns the commit */
  commitAll(message: string, files: Files): string {
    this.commit(files, past(message));
    return headOf(this.folder);
  }
}

const past = (author: string) => ({ author, at: "2026-11-21T12:00:00+00:00" });

/** GET /: the current content of page.txt; GET /env: names and values, as JSON; GET /settings: its settings. */
const serve = `
import http.server, json, os, pathlib

state = pathlib.Path(os.environ["MNG_AGENT_STATE_DIR"])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/env":
            text = json.dumps({**os.environ, "CWD": os.getcwd()})
        elif self.path == "/settings":
            file = state / "settings.toml"
            text = file.read_text() if file.exists() else "none"
        else:
            text = pathlib.Path("page.txt").read_text()
        body = text.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
events = state / "events" / "services"
events.mkdir(parents=True, exist_ok=True)
line = {"type": "service_registered", "service": "web", "url": f"http://127.0.0.1:{server.server_port}"}
with open(events / "events.jsonl", "a") as file:
    file.write(json.dumps(line) + "\\n")
print("serving", flush=True)
server.serve_forever()
`.trimStart();

const first: Files = {
  ".mngr/settings.toml": [
    "[agent_types.tiny]",
    'parent_type = "command"',
    'command = "python3 serve.py"',
    "[create_templates.entrypoint]",
    'type = "tiny"',
    "",
  ].join("\n"),
  "serve.py": serve,
  "page.txt": "first\n",
};
