"""The records of one changeling's runs on the runs volume: files with one RecordLine each.

components/cron/run-records.ts defines them. Agents can write to the volume, so everything that is read here is
untrusted: reads are limited in size, and links are not followed.
"""

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mngr_client import json_object

Line = dict[str, Any]

# The files of a run's folder, in the order in which they are written.
_EVENTS = ("fired", "skipped", "created", "ended", "destroyed")
_LONGEST_LINE = 256_000
# How many runs of a changeling keep their folder. The lines of older runs are in the history.
KEPT_FOLDERS = 50
_HISTORY_RUNS = 1000
_HISTORY_BYTES = 4_000_000


@dataclass
class Run:
    """One run, as recorded."""

    id: str
    lines: dict[str, Line] = field(default_factory=dict)

    @property
    def fired_at(self) -> datetime | None:
        line = self.lines.get("fired") or self.lines.get("skipped")
        return None if line is None else instant(line.get("at"))

    @property
    def request(self) -> str | None:
        line = self.lines.get("fired") or self.lines.get("skipped") or {}
        return line.get("request")

    @property
    def call(self) -> str | None:
        """The id of the Modal call that fired it."""
        line = self.lines.get("fired") or self.lines.get("skipped") or {}
        return line.get("call")

    @property
    def is_scheduled(self) -> bool:
        cause = (self.lines.get("fired") or self.lines.get("skipped") or {}).get("cause")
        return isinstance(cause, dict) and cause.get("kind") == "schedule"

    @property
    def host_id(self) -> str | None:
        host_id = self.lines.get("created", {}).get("hostId")
        return host_id if isinstance(host_id, str) else None

    @property
    def is_open(self) -> bool:
        return "fired" in self.lines and "ended" not in self.lines

    @property
    def agent_is_kept(self) -> bool:
        return "created" in self.lines and "destroyed" not in self.lines


def instant(value: object) -> datetime | None:
    """Parses a time in a record; None if it is invalid."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time.astimezone(UTC) if time is not None and time.tzinfo is not None else None


def timestamp(time: datetime) -> str:
    """Formats a time as JavaScript does: UTC, milliseconds, Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Records:
    """The records of one changeling."""

    def __init__(self, volume: Path, changeling: str):
        self.changeling = changeling
        self._folder = volume / changeling
        self._id = re.compile(re.escape(changeling) + r"-\d{4}(-\d\d){5}")

    def begin(self, now: datetime) -> str:
        """Returns a new run's id, and creates its folder. An id names a second, and each second is used once."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            run = f"{self.changeling}-{now.astimezone(UTC):%Y-%m-%d-%H-%M-%S}"
            try:
                self.folder(run).mkdir()
                return run
            except FileExistsError:
                now += timedelta(seconds=1)

    def folder(self, run: str) -> Path:
        return self._folder / run

    def write(self, run: str, event: str, now: datetime, **fields: object) -> None:
        """Records an event of a run. Readers see the whole line or none."""
        line = {"event": event, "at": timestamp(now), "changeling": self.changeling, "id": run, **fields}
        _replace(self.folder(run) / f"{event}.json", json.dumps(line, ensure_ascii=False) + "\n")

    def runs(self) -> list[Run]:
        """The runs that have a folder, ordered by id, and so by time."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        return [self._read(name) for name in names if self._id.fullmatch(name)]

    def _read(self, run: str) -> Run:
        found = Run(run)
        for event in _EVENTS:
            line = json_object(_read_bounded(self.folder(run) / f"{event}.json", _LONGEST_LINE))
            if self._is_line(line) and line["event"] == event and line["id"] == run:
                found.lines[event] = line
        return found

    def _is_line(self, line: Line) -> bool:
        return (
            line.get("event") in _EVENTS
            and line.get("changeling") == self.changeling
            and isinstance(line.get("id"), str)
            and self._id.fullmatch(line["id"]) is not None
            and instant(line.get("at")) is not None
        )

    def compact(self, is_over: Callable[[Run], bool]) -> None:
        """Moves all runs but the newest `KEPT_FOLDERS` to the history, unless they are alive or have an agent.

        In the meantime, readers find such a run in both places, with the same lines.
        """
        old = [run for run in self.runs()[:-KEPT_FOLDERS] if is_over(run) and not run.agent_is_kept]
        if not old:
            return
        runs = {run.id: run for run in self._history()}
        for run in old:
            runs.setdefault(run.id, Run(run.id)).lines.update(run.lines)
        _replace(self._folder / "history.jsonl", _bounded(runs.values()))
        for run in old:
            shutil.rmtree(self.folder(run.id), ignore_errors=True)

    def _history(self) -> list[Run]:
        runs: dict[str, Run] = {}
        for text in _read_bounded(self._folder / "history.jsonl", _HISTORY_BYTES).splitlines():
            line = json_object(text)
            if self._is_line(line):
                runs.setdefault(line["id"], Run(line["id"])).lines[line["event"]] = line
        return list(runs.values())


def _bounded(runs: Iterable[Run]) -> str:
    newest = sorted(runs, key=lambda run: run.id)[-_HISTORY_RUNS:]
    texts = [
        "".join(json.dumps(run.lines[event], ensure_ascii=False) + "\n" for event in _EVENTS if event in run.lines)
        for run in newest
    ]
    while sum(len(text.encode()) for text in texts) > _HISTORY_BYTES:
        texts = texts[len(texts) // 10 + 1 :]
    return "".join(texts)


def _read_bounded(path: Path, most: int) -> str:
    """The text of a regular file; empty if it does not exist, is not a file, or is too long."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(handle, "rb") as file:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode) or info.st_size > most:
            return ""
        return file.read(most).decode("utf-8", "replace")


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with open(unfinished, "x", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
