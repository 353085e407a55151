"""`python -m modal_emulator`: serve the Modal control plane on loopback, until a signal comes.

The first line on stdout is JSON: {"server_url", "control_url", "container_client", "protocol"}.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path

import modal

from .server import Emulator, say


async def serve(options: argparse.Namespace) -> None:
    directory = options.state_dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    emulator = Emulator(
        directory, options.run, options.client_python, options.sandbox_reaches, options.secret_overwrite
    )
    if os.geteuid() != 0:
        say("not root, so containers have a single user: sshd (and with it mngr's Modal provider) can't run in them")
    server_url, control_url = await emulator.start(options.live)
    ready = {
        "server_url": server_url,
        "control_url": control_url,
        "container_client": emulator.client.client_version,
        "protocol": modal.__version__,
    }
    print(json.dumps(ready), flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if options.end_with_stdin:

        def read_stdin() -> None:
            if not os.read(0, 4096):
                loop.remove_reader(0)
                stop.set()

        loop.add_reader(0, read_stdin)
    await stop.wait()
    await emulator.stop()
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="modal_emulator", description="An emulator of Modal, for tests and trials.")
    parser.add_argument(
        "--state-dir",
        type=Path,
        required=True,
        help="a folder of its own for its files, removed at the end; not on overlayfs",
    )
    parser.add_argument(
        "--run",
        choices=["offline", "pip"],
        default="offline",
        help="which RUN steps an image build carries out: all but installs and downloads, or those and pip's and uv's",
    )
    parser.add_argument(
        "--client-python", default=sys.executable, help="the Python that `modal` runs on; containers run on it too"
    )
    parser.add_argument(
        "--sandbox-reaches",
        type=int,
        action="append",
        default=[],
        metavar="PORT",
        help="a port of the host's loopback that sandboxes can reach too, besides the emulator's own"
        " (they have no other way out of their network namespace)",
    )
    parser.add_argument(
        "--secret-overwrite",
        choices=["keeps-id", "new-id"],
        default="keeps-id",
        help="whether a secret that is overwritten keeps its id; what Modal does is not known",
    )
    parser.add_argument("--live", action="store_true", help="fire crons by the real clock, to the minute")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when stdin is closed: with whoever holds it")
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
