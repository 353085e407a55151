"""The records in the runs volume, which agents can write to as well."""

import json
import os
from datetime import UTC, datetime, timedelta

from lab import Lab

import run_records
from run_records import KEPT_FOLDERS, Records

NOON = datetime(2026, 11, 21, 12, 0, 0, 123_000, UTC)


class RunRecords(Lab):
    def setUp(self) -> None:
        super().setUp()
        self.records = Records(self.folder, "fixer")

    def ended(self, at: datetime, *, kept: bool = False) -> str:
        run = self.records.begin(at)
        self.records.write(run, "fired", at, cause={"kind": "manual"}, branch=f"changelings/{run}", repo="r")
        self.records.write(run, "created", at, agentId="agent-1")
        self.records.write(run, "ended", at, outcome="succeeded", commits=[])
        if not kept:
            self.records.write(run, "destroyed", at)
        return run

    def test_a_second_is_never_named_twice(self) -> None:
        ids = [self.records.begin(NOON) for _ in range(3)]
        self.assertEqual(ids, [f"fixer-2026-11-21-12-00-0{second}" for second in range(3)])

    def test_a_line_is_written_whole(self) -> None:
        run = self.records.begin(NOON)
        self.records.write(run, "skipped", NOON, reason="é\n", cause={"kind": "manual"})
        self.assertEqual([path.name for path in self.records.folder(run).iterdir()], ["skipped.json"])
        self.assertEqual(
            json.loads((self.records.folder(run) / "skipped.json").read_text()),
            {
                "event": "skipped", "at": "2026-11-21T12:00:00.123Z", "changeling": "fixer", "id": run,
                "reason": "é\n", "cause": {"kind": "manual"},
            },
        )  # fmt: skip

    def test_what_is_no_record_is_passed_over(self) -> None:
        run = self.records.begin(NOON)
        folder = self.records.folder(run)
        outside = self.folder / "outside.json"
        line = {"event": "fired", "at": "2026-11-21T12:00:00Z", "changeling": "fixer", "id": run}
        outside.write_text(json.dumps(line))
        (folder / "fired.json").symlink_to(outside)
        os.mkfifo(folder / "created.json")
        (folder / "ended.json").write_text("{}")
        (folder / "skipped.json").write_text('{"event": "skipped", "at": "never", "changeling": "fixer", "id": "x"}')
        (folder / "destroyed.json").write_text(" " * 300_000 + outside.read_text())
        (self.folder / "fixer" / "fixer-elsewhere").mkdir()
        (self.folder / "fixer" / "other-2026-11-21-12-00-00").symlink_to(folder)
        self.assertEqual([(each.id, each.lines) for each in self.records.runs()], [(run, {})])

    def test_old_ones_move_into_the_history(self) -> None:
        runs = [self.ended(NOON + timedelta(minutes=at), kept=at == 1) for at in range(KEPT_FOLDERS + 4)]
        still_open = self.records.begin(NOON - timedelta(days=1))
        self.records.write(still_open, "fired", NOON, cause={"kind": "manual"})
        for _ in range(2):
            self.records.compact(lambda run: not run.is_open)
        # The one with an agent and the one that is open stay.
        self.assertEqual([run.id for run in self.records.runs()], [still_open, runs[1], *runs[4:]])
        lines = [json.loads(line) for line in (self.folder / "fixer/history.jsonl").read_text().splitlines()]
        events = ("fired", "created", "ended", "destroyed")
        moved = [(run, event) for run in (runs[0], runs[2], runs[3]) for event in events]
        self.assertEqual([(line["id"], line["event"]) for line in lines], moved)

    def test_the_history_is_bounded(self) -> None:
        history = self.folder / "fixer/history.jsonl"
        history.parent.mkdir()
        old = [f"fixer-2020-01-01-{at // 60:02}-{at % 60:02}-00" for at in range(1200)]
        line = {"event": "fired", "at": "2020-01-01T00:00:00Z", "changeling": "fixer"}
        history.write_text("torn\n" + "".join(json.dumps({**line, "id": run}) + "\n" for run in old))
        for at in range(KEPT_FOLDERS + 1):
            self.ended(NOON + timedelta(minutes=at))
        self.records.compact(lambda run: True)
        ids = sorted({json.loads(text)["id"] for text in history.read_text().splitlines()})
        self.assertEqual(len(ids), 1000)
        self.assertEqual((ids[0], ids[-1]), (old[201], "fixer-2026-11-21-12-00-00"))

    def test_the_history_is_bounded_in_bytes(self) -> None:
        line = {"event": "fired", "at": "2020-01-01T00:00:00Z", "changeling": "fixer", "reason": "x" * 9000}
        runs = [run_records.Run(f"{at:04}", {"fired": line}) for at in range(900)]
        self.assertLessEqual(len(run_records._bounded(runs)), 4_000_000)
