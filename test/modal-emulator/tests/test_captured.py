import os
import unittest

from modal_emulator.containers.captured import spawn

ENV = {"PATH": os.environ.get("PATH", os.defpath)}


class Captured(unittest.IsolatedAsyncioTestCase):
    async def test_output_is_kept_for_readers_at_any_offset(self) -> None:
        process = await spawn(["sh", "-c", "echo out; echo err >&2; exit 3"], ENV)
        self.assertEqual(await process.wait(), 3)
        self.assertEqual(b"".join([chunk async for chunk in process.read(1, 0)]), b"out\n")
        self.assertEqual(b"".join([chunk async for chunk in process.read(1, 2)]), b"t\n")
        self.assertEqual(b"".join([chunk async for chunk in process.read(2, 0)]), b"err\n")

    async def test_a_repeated_write_is_taken_once(self) -> None:
        process = await spawn(["cat"], ENV, stdin=True)
        await process.write_stdin(0, b"abc", False)
        await process.write_stdin(0, b"abcd", False)
        await process.write_stdin(4, b"", True)
        self.assertEqual(await process.wait(), 0)
        self.assertEqual(bytes(process.output[1]), b"abcd")

    async def test_a_killed_one_tells_its_signal(self) -> None:
        process = await spawn(["sleep", "60"], ENV)
        process.kill()
        self.assertEqual(await process.wait(), -9)
        process.kill()
