/** An argument of each supervisor, by which its process is found. */
const marker = "changelings-supervised";

/**
 * Runs one program in a sandbox whose provider can start programs, but can't end them or their children, such as
 * Modal's `exec`. It is a Python program that is sent as text with every call, because programs in the sandbox could
 * change a file.
 *
 * It adopts every process that its program starts, including those that left its session, and ends all of them when the
 * program exits, at the timeout, or when it is asked to stop. Protocol on its standard input: the length of the program's
 * input in bytes and a newline, that input, and then, at any time, `K` to stop.
 *
 * This is not a security boundary: any program of the same user can kill it. The sandbox is the boundary.
 */
const source = String.raw`
import ctypes, os, queue, signal, sys, threading, time

# PR_SET_DUMPABLE: the program's secrets are in this process's environment, which others could read in /proc.
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
timeout, cwd, argv = float(sys.argv[2]), sys.argv[3], sys.argv[4:]
GRACE = 2.0
ended = {}

def refuse(code, reason):
    os.write(2, ("%s\n" % reason).encode(errors="replace"))
    os._exit(code)

def reap():
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ended[pid] = status

def descendants():
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                pass
    found, fresh = set(), {os.getpid()}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found

def end_all():
    began, asked = time.monotonic(), set()
    while True:
        reap()
        alive = descendants()
        if not alive:
            return
        late = time.monotonic() - began
        if late > 10:
            return
        for pid in alive if late > GRACE else alive - asked:
            try:
                os.kill(pid, signal.SIGKILL if late > GRACE else signal.SIGTERM)
            except OSError:
                pass
        asked |= alive
        time.sleep(0.01)

def feed(pipe, chunks):
    with os.fdopen(pipe, "wb", buffering=0) as file:
        while True:
            chunk = chunks.get()
            if chunk is None:
                return
            try:
                file.write(chunk)
            except OSError:
                return

def listen(chunks):
    channel = sys.stdin.buffer
    rest = int(channel.readline() or b"0")
    while rest > 0:
        chunk = channel.read1(min(rest, 65536))
        if not chunk:
            break
        rest -= len(chunk)
        chunks.put(chunk)
    chunks.put(None)
    if channel.read1(1) == b"K":
        os.kill(os.getpid(), signal.SIGUSR1)

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
watched = {signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, watched)
try:
    os.chdir(cwd)
except OSError as error:
    refuse(126, "%s: %s" % (cwd, error.strerror))
theirs, ours = os.pipe()
try:
    child = os.posix_spawnp(
        argv[0], argv, os.environ, setsid=True, setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 0), (os.POSIX_SPAWN_CLOSE, theirs), (os.POSIX_SPAWN_CLOSE, ours)],
    )
except FileNotFoundError:
    refuse(127, "%s: not found" % argv[0])
except OSError as error:
    refuse(126, "%s: %s" % (argv[0], error.strerror))
os.close(theirs)
chunks = queue.SimpleQueue()
threading.Thread(target=feed, args=(ours, chunks), daemon=True).start()
threading.Thread(target=listen, args=(chunks,), daemon=True).start()
deadline, code = time.monotonic() + timeout, None
while code is None:
    got = signal.sigtimedwait(watched, max(0, deadline - time.monotonic()))
    reap()
    if child in ended:
        code = os.waitstatus_to_exitcode(ended[child])
        code = 128 - code if code < 0 else code
    elif got is None:
        code = 124
    elif got.si_signo != signal.SIGCHLD:
        code = 130
end_all()
os._exit(code)
`;

/** Ends every program that a supervisor runs in the sandbox, and waits for their end. */
const sweepSource = String.raw`
import os, signal, time

def supervisors():
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    if b"${marker}" in file.read().split(b"\0"):
                        yield int(name)
            except OSError:
                pass

for attempt in range(500):
    alive = list(supervisors())
    if not alive:
        break
    for pid in alive:
        try:
            os.kill(pid, signal.SIGKILL if attempt > 400 else signal.SIGTERM)
        except OSError:
            pass
    time.sleep(0.02)
`;

/** Isolated mode: neither the environment nor the working folder can add modules. */
const python: readonly string[] = ["python3", "-I", "-S", "-c"];

/** Written to the supervisor's standard input, it stops the program, whose exit code is then 130. */
export const stopByte = "K";

/** The argument list that runs a program under supervision. It needs Python 3.9 or newer in the sandbox. */
export function supervised(argv: readonly string[], options: { timeoutSeconds: number; cwd: string }): string[] {
  return [...python, source, marker, String(options.timeoutSeconds), options.cwd, ...argv];
}

/** The standard input of a supervised program, framed for the supervisor. */
export function supervisedInput(stdin: string | Uint8Array): Uint8Array {
  const body = typeof stdin === "string" ? Buffer.from(stdin) : stdin;
  return Buffer.concat([Buffer.from(`${body.length}\n`), body]);
}

/** The argument list that ends the programs that a killed service left running in a sandbox. */
export const sweep: readonly string[] = [...python, sweepSource];
