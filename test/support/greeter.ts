import { Repository } from "./repository.ts";

/** Registers itself, counts its starts in its data, and reports how it was configured, except the secret itself. */
const agent = `
import http.server, json, os
data = os.environ["CHANGELING_DATA"]
with open(f"{data}/starts", "a") as file:
    file.write("*")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        starts = os.path.getsize(f"{data}/starts")
        secret = "has its secret" if os.environ.get("SOME_SECRET", "")[::-1] == "terc3s" else "lacks its secret"
        body = f"{open('greeting').read().strip()}; started {starts} times; {secret}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
folder = os.environ["MNG_AGENT_STATE_DIR"] + "/logs"
os.makedirs(folder, exist_ok=True)
with open(f"{folder}/servers.jsonl", "a") as file:
    file.write(json.dumps({"server": "web", "url": f"http://127.0.0.1:{server.server_port}"}) + "\\n")
server.serve_forever()
`;
const settings = `
[agent_types.greeter]
parent_type = "command"
command = "python3 agent.py"
[create_templates.entrypoint]
type = "greeter"
`;

/** The source of a web agent whose page is `GREETING; started N times; has its secret`, the secret being SOME_SECRET=s3cret. */
export class GreeterRepo extends Repository {
  #minute = 0;

  constructor() {
    super();
    this.change({ "agent.py": agent, ".mngr/settings.toml": settings, greeting: "Hello" });
  }

  /** Commits the files. */
  change(files: Parameters<Repository["commit"]>[0]): void {
    this.#minute += 1;
    this.commit(files, { author: "Me", at: `2026-01-01T00:${String(this.#minute).padStart(2, "0")}:00Z` });
  }
}
