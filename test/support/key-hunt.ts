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
places = {"key": set(), "token": set(), "unreadable": set()}
tokens = set()

def chunks_of(path):
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(2**20):
            yield chunk

def text_of(path):
    return b"".join(chunks_of(path)).decode(errors="replace")

def is_alive(pid):
    try:
        return text_of("/proc/%s/stat" % pid).rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False

def look(place, chunks, is_there):
    """What ends or is removed while it is searched needs no search any more; what is still there does."""
    tail = b""
    try:
        for chunk in chunks:
            data = tail + chunk
            if key in data:
                places["key"].add(place)
            for each in token.findall(data):
                places["token"].add(place)
                tokens.add(each.decode())
            tail = data[-100:]
    except OSError as error:
        if is_there():
            places["unreadable"].add("%s: %s" % (place, error.strerror))

def used_spans(pid):
    """The parts of a process's memory that it has written to, a MB each: most of it is reserved, or the program itself."""
    start = end = 0
    with open("/proc/%s/pagemap" % pid, "rb") as pagemap:
        for line in text_of("/proc/%s/smaps" % pid).splitlines():
            span = re.match(r"([0-9a-f]+)-([0-9a-f]+) (.)", line)
            if span:
                start, end = (int(each, 16) for each in span.groups()[:2]) if span[3] == "r" else (0, 0)
            elif line.startswith("Anonymous:") and int(line.split()[1]) > 0:
                for at in range(start, end, 2**20):
                    pagemap.seek(at // 4096 * 8)
                    if max(pagemap.read(min(2**20, end - at) // 4096 * 8)[7::8], default=0) >= 0x40:
                        yield at, min(at + 2**20, end)

def memory(pid):
    with open("/proc/%s/mem" % pid, "rb", buffering=0) as mem:
        for at, end in used_spans(pid):
            while at < end:
                try:
                    mem.seek(at)
                    data = mem.read(end - at) or b""
                except OSError:
                    # The process has released this page.
                    data = b""
                yield data
                at += len(data) or 4096

def search():
    for pid in [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]:
        there = lambda: is_alive(pid)
        try:
            name = text_of("/proc/%s/comm" % pid).strip()
        except OSError:
            continue
        for part in ("environ", "cmdline"):
            look("%s of %s" % (part, name), chunks_of("/proc/%s/%s" % (pid, part)), there)
        look("memory of %s" % name, memory(pid), there)
    def unlisted(error):
        if os.path.isdir(error.filename):
            places["unreadable"].add("%s: %s" % (error.filename, error.strerror))
    for top in ("/workspace", "/root", "/tmp", "/run", "/dev/shm", "/app", "/etc"):
        for folder, _, files in os.walk(top, onerror=unlisted):
            for path in (os.path.join(folder, each) for each in files):
                if os.path.isfile(path):
                    look(path, chunks_of(path), lambda: os.path.isfile(path))

def ask(path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
    try:
        connection.request("POST", path, "{}", headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)

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
    throw new Error(`the hunt failed:\n${output}`);
  }
}

/** A status of HTTP, or why there is none. */
const status = z.union([z.number(), z.string()]);

/** What a hunt has found: places, what it could not search, tokens, and the statuses of its own requests to the broker. */
export const hunted = z.pipe(
  z.transform(parseJson),
  z.object({
    key: z.array(z.string()),
    token: z.array(z.string()),
    unreadable: z.array(z.string()),
    tokens: z.array(z.string()),
    none: status,
    earlier: z.array(status),
    elsewhere: z.array(status),
  }),
);
