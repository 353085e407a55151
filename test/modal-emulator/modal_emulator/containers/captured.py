"""Child processes whose output is kept."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

_CHUNK = 1024 * 1024


class Captured:
    """A child process, with all it has printed kept for readers that come at any offset."""

    def __init__(self, process: asyncio.subprocess.Process, on_output: Callable[[int, bytes], None] | None = None):
        self.process = process
        self.output = {1: bytearray(), 2: bytearray()}
        self.stdin_written = 0
        self.stdin_closed = False
        self._closed = {1: False, 2: False}
        self._changed = asyncio.Event()
        self._on_output = on_output
        assert process.stdout is not None and process.stderr is not None
        self._readers = [
            asyncio.create_task(self._pump(1, process.stdout)),
            asyncio.create_task(self._pump(2, process.stderr)),
        ]
        self._waiter = asyncio.create_task(self._wait())

    async def _pump(self, fd: int, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65536):
            self.output[fd] += chunk
            if self._on_output:
                self._on_output(fd, chunk)
            self._changed.set()
        self._closed[fd] = True
        self._changed.set()

    async def _wait(self) -> int:
        code = await self.process.wait()
        await asyncio.gather(*self._readers)
        return code

    async def wait(self) -> int:
        """The exit code (negative: the signal), once the process is gone and its output has been read."""
        return await asyncio.shield(self._waiter)

    @property
    def finished(self) -> bool:
        return self._waiter.done()

    async def read(self, fd: int, offset: int) -> AsyncIterator[bytes]:
        """Yield output from `offset` until the stream closes."""
        while True:
            if len(self.output[fd]) > offset:
                chunk = bytes(self.output[fd][offset : offset + _CHUNK])
                offset += len(chunk)
                yield chunk
            elif self._closed[fd]:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    async def write_stdin(self, offset: int, data: bytes, eof: bool) -> None:
        """Write what follows the first `offset` bytes of its input; a repeated write may repeat bytes."""
        if self.process.stdin is None or self.stdin_closed:
            return
        fresh = data[max(0, self.stdin_written - offset) :]
        if fresh:
            self.process.stdin.write(fresh)
            self.stdin_written += len(fresh)
            await self.process.stdin.drain()
        if eof:
            self.process.stdin.close()
            self.stdin_closed = True

    def kill(self) -> None:
        if self.process.returncode is not None:
            return  # its id may be another's by now
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


async def spawn(
    argv: list[str],
    env: dict[str, str],
    on_output: Callable[[int, bytes], None] | None = None,
    stdin: bool = False,
) -> Captured:
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    return Captured(process, on_output)
