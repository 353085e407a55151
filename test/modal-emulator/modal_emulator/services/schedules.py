"""Crons of deployed functions: what is due in an interval, and the real clock."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from modal_proto import api_pb2

from ..cron import Cron
from ..records import App, Function, FunctionCall
from ..state import State
from .calls import Calls

_MINUTE = timedelta(minutes=1)


class Schedules:
    """`modal.Period` is recorded with its function, and never comes due."""

    def __init__(self, state: State, calls: Calls):
        self._state = state
        self._calls = calls

    def all(self) -> Iterator[tuple[App, Function, Cron]]:
        """Of every deployed function, as it was at its app's last publishing."""
        for app in self._state.apps.values():
            if app.state != api_pb2.APP_STATE_DEPLOYED or not app.deployments:
                continue
            for name, definition in app.deployments[-1].definitions.items():
                if definition.schedule.WhichOneof("schedule_oneof") == "cron":
                    cron = definition.schedule.cron
                    yield app, self._state.functions[app.function_ids[name]], Cron(cron.cron_string, cron.timezone)

    def fire_due(self, start: datetime, end: datetime) -> list[FunctionCall]:
        """Start everything that is due in (start, end]."""
        due = [(when, function) for _, function, cron in self.all() for when in cron.firings(start, end)]
        return [
            self._calls.start(function, "cron", scheduled_for=when.isoformat())
            for when, function in sorted(due, key=lambda each: each[0])
        ]

    async def follow_clock(self) -> None:
        """Start what comes due by the real clock, for ever. What came due in a suspended machine is left out."""
        last = _now()
        while True:
            now = _now()
            await asyncio.sleep((_MINUTE - timedelta(seconds=now.second, microseconds=now.microsecond)).total_seconds())
            now = _now()
            self.fire_due(max(last, now - 2 * _MINUTE), now)
            last = now


def _now() -> datetime:
    return datetime.now(UTC)
