import asyncio
import tempfile
import unittest
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from modal_emulator.records import App, Deployment, Function
from modal_emulator.services import schedules
from modal_emulator.state import State
from modal_proto import api_pb2


def deployed(state: State, name: str, cron: str, zone: str = "UTC") -> App:
    schedule = api_pb2.Schedule(cron=api_pb2.Schedule.Cron(cron_string=cron, timezone=zone))
    app = App(f"ap-{name}", name, "main", api_pb2.APP_STATE_DEPLOYED, 0, function_ids={"fire": f"fu-{name}"})
    definitions = {"fire": api_pb2.Function(function_name="fire", schedule=schedule)}
    app.deployments.append(Deployment(1, 0, "", "", {}, app.function_ids, definitions))
    state.apps[app.id] = app
    state.functions[f"fu-{name}"] = Function(f"fu-{name}", app.id, "fire")
    return app


class DueCrons(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = State(Path(folder.name))
        self.started: list[tuple[str, str]] = []
        calls: Any = SimpleNamespace(start=self.start)
        self.schedules = schedules.Schedules(self.state, calls)

    def start(self, function: Function, trigger: str, scheduled_for: str) -> None:
        self.started.append((function.app_id, scheduled_for))

    def test_all_that_is_due_starts_in_the_order_of_time(self) -> None:
        deployed(self.state, "a", "30 * * * *")
        deployed(self.state, "b", "0 * * * *")
        self.schedules.fire_due(datetime(2026, 7, 1, 0, tzinfo=UTC), datetime(2026, 7, 1, 1, tzinfo=UTC))
        self.assertEqual(self.started, [("ap-a", "2026-07-01T00:30:00+00:00"), ("ap-b", "2026-07-01T01:00:00+00:00")])

    def test_a_stopped_app_and_one_without_deployment_are_left_out(self) -> None:
        deployed(self.state, "a", "* * * * *").state = api_pb2.APP_STATE_STOPPED
        deployed(self.state, "b", "* * * * *").deployments.clear()
        self.assertEqual(list(self.schedules.all()), [])

    async def follow(self, times: list[str]) -> list[str]:
        """Follow a clock that shows these times, one at each look at it."""
        shown = iter(datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times)
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        with (
            mock.patch.object(schedules, "_now", lambda: next(shown)),
            mock.patch.object(asyncio, "sleep", sleep),
            # The clock has no more to show.
            self.assertRaises((StopIteration, RuntimeError)),
        ):
            await self.schedules.follow_clock()
        self.assertTrue(all(timedelta(0) < timedelta(seconds=each) <= timedelta(minutes=1) for each in slept), slept)
        return [when for _, when in self.started]

    async def test_the_clock_is_followed_to_the_minute(self) -> None:
        deployed(self.state, "a", "* * * * *")
        found = await self.follow(
            [
                "2026-07-01T00:00:30",
                "2026-07-01T00:00:30",
                "2026-07-01T00:01:00",
                "2026-07-01T00:01:01",
                "2026-07-01T00:02:00.5",
            ]
        )
        self.assertEqual(found, ["2026-07-01T00:01:00+00:00", "2026-07-01T00:02:00+00:00"])

    async def test_what_came_due_while_the_machine_was_suspended_is_left_out(self) -> None:
        deployed(self.state, "a", "*/30 * * * *")
        found = await self.follow(["2026-07-01T00:10", "2026-07-01T00:10", "2026-07-01T05:00:10"])
        self.assertEqual(found, ["2026-07-01T05:00:00+00:00"])
