"""Firing a run: what comes of it, also when it fails."""

import json
import shutil
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO

from firing import CREATED, FAILED, TOKEN, Firing
from lab import USER_ID

from container import RunError
from run_records import timestamp


class Fire(Firing):
    # What comes of it

    def test_makes_an_agent_and_records_it(self) -> None:
        result = self.fire()
        run = str(result["run"])
        self.assertEqual(result, {"run": run, "outcome": "started", "reason": None})
        fired, created = self.line(run, "fired"), self.line(run, "created")
        self.assertRegex(fired.pop("at"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(fired["cause"].pop("due"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z$")
        self.assertEqual(
            fired,
            {
                "event": "fired", "changeling": "fixer", "id": run, "branch": f"changelings/{run}",
                "repo": "https://github.com/someone/thing.git", "cause": {"kind": "schedule"},
            },
        )  # fmt: skip
        self.assertEqual((created["agentId"], created["hostId"]), ("agent-1", "host-1"))
        self.assertEqual(self.committed, 2)

    def test_a_request_is_answered_once(self) -> None:
        first = self.fire(cause="manual", request="r-1")
        self.assertEqual(self.line(str(first["run"]), "fired")["cause"], {"kind": "manual"})
        self.assertEqual(self.line(str(first["run"]), "fired")["request"], "r-1")
        self.assertEqual(self.fire(cause="manual", request="r-1"), first)
        self.assertEqual(len(self.calls("create")), 1)

    def test_never_runs_twice_at_a_time(self) -> None:
        earlier = self.earlier(timedelta(minutes=10), "created")
        unreachable = {"agents": [], "errors": [{"host_id": f"host-of-{earlier}"}]}
        self.behave(list={"stdout": json.dumps(unreachable), "status": 1})
        result = self.fire(cause="manual", request="r-2")
        run = str(result["run"])
        self.assertEqual(result, {"run": run, "outcome": "skipped", "reason": f"{earlier} is still running"})
        self.assertEqual(self.lines(run), ["skipped"])
        self.assertEqual(self.line(run, "skipped")["request"], "r-2")
        self.assertEqual(self.calls("create"), [])
        self.assertEqual(self.fire(cause="manual", request="r-2"), result)

    def test_takes_one_that_is_being_made_for_alive(self) -> None:
        earlier = self.earlier(timedelta(minutes=70))
        self.assertEqual(self.fire()["reason"], f"{earlier} is still running")
        self.assertEqual(self.calls("list"), [])

    def test_takes_one_for_over_when_its_time_is(self) -> None:
        self.earlier(timedelta(minutes=73), "created")
        self.earlier(timedelta(minutes=88))
        self.assertEqual(self.fire()["outcome"], "started")

    def test_records_the_end_of_those_that_nobody_watched_and_cleans_their_hosts(self) -> None:
        watched = self.earlier(timedelta(days=1), "created", "ended")
        silent = self.earlier(timedelta(minutes=73), "created")
        lost = self.earlier(timedelta(minutes=88))
        self.assertEqual(self.fire()["outcome"], "started")
        ends = [self.line(run, "ended") for run in (silent, lost)]
        self.assertEqual([end["outcome"] for end in ends], ["timed_out", "timed_out"])
        self.assertEqual(
            [end["reason"] for end in ends],
            ["it did not report its end within its 3600 s", "its agent never reported"],
        )
        self.assertLess(ends[0]["at"], timestamp(datetime.now(UTC)))
        self.assertEqual(self.cleaned(), [f"blank mngr-{USER_ID} mngr- mngr-modal {silent} host-of-{silent}"])
        self.assertEqual([call["args"][1] for call in self.calls("destroy")], [f"@{lost}.modal"])
        self.assertEqual(self.lines(watched), ["created", "ended", "fired"])

    def test_deletes_the_snapshots_of_destroyed_agents(self) -> None:
        runs = [self.earlier(timedelta(days=day), "created", "ended") for day in (5, 4, 3)]
        self.fire()
        self.assertEqual(self.cleaned(), [f"discard mngr-{USER_ID} mngr- mngr-modal {runs[0]} host-of-{runs[0]}"])
        self.assertEqual(self.lines(runs[0]), ["created", "destroyed", "ended", "fired"])

    def test_warns_when_an_earlier_run_could_not_be_cleaned(self) -> None:
        self.earlier(timedelta(minutes=73), "created")
        failing = f"import sys; sys.exit({f'no luck with {TOKEN}'!r})"
        (self.folder / "program/hosts.py").write_text(failing)
        with redirect_stdout(StringIO()) as printed:
            self.assertEqual(self.fire()["outcome"], "started")
        self.assertIn("warning: leftovers of an earlier run remain: no luck with ***", printed.getvalue())
        self.assertEqual(self.committed, 2)

    # Modal delivers the input of a call again

    def test_one_call_is_one_run(self) -> None:
        first = self.fire(call="fc-1")
        self.assertEqual(self.fire(call="fc-1"), first)
        self.assertEqual(len(self.calls("create")), 1)
        self.assertEqual(self.fire(call="fc-2")["outcome"], "skipped")

    def test_takes_up_a_run_whose_machine_was_taken_away(self) -> None:
        now = datetime.now(UTC)
        run = self.records.begin(now)
        self.records.write(run, "fired", now, cause={"kind": "manual"}, call="fc-1")
        self.assertEqual(self.fire(call="fc-1"), {"run": run, "outcome": "started", "reason": None})
        self.assertEqual(self.lines(run), ["created", "fired"])
        # What the first attempt may have left is gone before the second begins.
        self.assertEqual((self.folder / "sandboxes").read_text(), f"mngr-{USER_ID} mngr-modal {run}")
        commands = [call["args"][0] for call in self.calls("destroy") + self.calls("create")]
        self.assertEqual(commands, ["destroy", "create"])

    # Days of a clock change

    def test_skips_the_second_fire_of_one_local_minute(self) -> None:
        def at(text: str) -> datetime:
            return datetime.fromisoformat(f"2026-10-25T{text}+00:00")

        def outcomes(schedule: str, *times: str, cause: str = "schedule", timezone: str = "Europe/Berlin") -> list[str]:
            shutil.rmtree(self.folder / "runs/fixer", ignore_errors=True)
            found = []
            for time in times:
                spec = self.spec(schedule=schedule, timezone=timezone)
                result = self.fire(spec, cause=cause, now=at(time))
                if result["outcome"] == "started":
                    self.records.write(str(result["run"]), "ended", at(time), outcome="no_changes", commits=[])
                found.append(str(result["outcome"]))
            return found

        once = ["started", "skipped"]
        both = ["started", "started"]
        self.assertEqual(outcomes("30 2 * * *", "00:30:02", "01:30:05"), once)
        self.assertEqual(outcomes("30 2 * * *", "00:30:02", "01:33:05"), once)
        self.assertEqual(outcomes("30 2 * * *", "00:30:02", "01:30:05", timezone="UTC"), both)
        self.assertEqual(outcomes("30 2 * * *", "00:30:02", "01:30:05", timezone="Mars/Crater"), both)
        self.assertEqual(outcomes("30 * * * *", "00:30:02", "01:30:05"), both)
        self.assertEqual(outcomes("30 2,3 * * *", "00:30:02", "02:30:05"), both)
        self.assertEqual(outcomes("30 2 * * *", "00:30:02", "01:30:05", cause="manual"), both)
        reason = self.fire(self.spec(schedule="30 2 * * *", timezone="Europe/Berlin"), now=at("01:31:00"))["reason"]
        self.assertIsNone(reason)

    def test_writes_down_the_end_of_one_whose_host_is_gone(self) -> None:
        earlier = self.earlier(timedelta(minutes=10), "created")
        self.behave(create=CREATED, list={"stdout": json.dumps({"agents": [], "errors": []})})
        self.assertEqual(self.fire()["outcome"], "started")
        ended = self.line(earlier, "ended")
        self.assertEqual(
            (ended["outcome"], ended["reason"]), ("failed", "its agent was stopped or destroyed by somebody else")
        )

    def test_leaves_the_end_that_was_written_meanwhile(self) -> None:
        earlier = self.earlier(timedelta(minutes=10), "created")
        self.behave(create=CREATED, list={"stdout": json.dumps({"agents": [], "errors": []})})
        comes = [lambda: None, lambda: self.records.write(earlier, "ended", datetime.now(UTC), outcome="no_changes")]
        self.reloads.append(lambda: comes.pop(0)() if comes else None)
        self.assertEqual(self.fire()["outcome"], "started")
        self.assertEqual(self.line(earlier, "ended")["outcome"], "no_changes")

    def test_destroys_the_agents_of_older_runs(self) -> None:
        runs = [self.earlier(timedelta(days=day), "created", "ended") for day in (5, 4, 3, 2)]
        self.earlier(timedelta(days=6), "ended")
        self.behave(create=CREATED)
        self.fire()
        self.assertEqual({call["args"][1] for call in self.calls("destroy")}, {f"@{run}.modal" for run in runs[:2]})
        self.assertEqual([self.lines(run)[1] == "destroyed" for run in runs], [True, True, False, False])

    def test_tries_again_to_destroy_what_could_not_be(self) -> None:
        runs = [self.earlier(timedelta(days=day), "created", "ended") for day in (5, 4, 3)]
        self.behave(create=CREATED, destroy={"status": 1})
        self.assertEqual(self.fire()["outcome"], "started")
        self.assertEqual(self.lines(runs[0]), ["created", "ended", "fired"])

    # When it fails

    def test_a_failed_create_is_cleared_away_and_recorded(self) -> None:
        self.behave(create=FAILED)
        result = self.fire()
        run, reason = str(result["run"]), "mngr create failed: no luck with ***"
        self.assertEqual(result, {"run": run, "outcome": "failed", "reason": reason})
        ended = self.line(run, "ended")
        self.assertEqual((ended["outcome"], ended["reason"], ended["commits"]), ("failed", reason, []))
        self.assertEqual((self.folder / "sandboxes").read_text(), f"mngr-{USER_ID} mngr-modal {run}")
        self.assertEqual([call["args"][1] for call in self.calls("destroy")], [f"@{run}.modal"])

    def test_an_agent_that_was_done_before_mngr_was_has_ended_well(self) -> None:
        self.behave(create=FAILED)

        def end() -> None:
            for run in self.records.runs():
                self.records.write(run.id, "ended", datetime.now(UTC), outcome="succeeded", commits=[])

        self.reloads.append(end)
        result = self.fire()
        self.assertEqual(result["outcome"], "started")
        self.assertEqual(self.line(str(result["run"]), "ended")["outcome"], "succeeded")

    def test_a_fault_of_its_own_is_recorded_and_raised(self) -> None:
        spec = self.spec({"env": {"NOT A NAME": "x"}})
        with self.assertRaises(ValueError):
            self.fire(spec)
        (run,) = self.records.runs()
        self.assertEqual(run.lines["ended"]["reason"], '"NOT A NAME" is not a name for an environment variable')
        self.assertEqual(self.calls("create"), [])

    def test_refuses_to_be_anybody_but_its_person(self) -> None:
        for changes, message in [
            ({"MNGR_USER_ID": ""}, "the stack's Secret lacks MNGR_USER_ID; repair it with: pulumi up"),
            ({"MNGR_USER_ID": "f" * 32}, f"the stack's Secret has another mngr user id than {USER_ID}"),
            ({"CHANGELINGS_MODAL_TOKEN_ID": ""}, "the stack's Secret lacks CHANGELINGS_MODAL_TOKEN_ID"),
        ]:
            with self.assertRaisesRegex(RunError, message.replace("(", r"\(")):
                self.fire(**changes)
        self.assertFalse((self.folder / "runs/fixer").exists())

    def test_says_which_snapshot_is_missing(self) -> None:
        result = self.fire(self.spec(image="snapshot", snapshotLabel="l-1"))
        self.assertEqual(result["reason"], "there is no snapshot l-1; repair it with: pulumi up")
        self.assertEqual(self.calls("destroy"), [])
