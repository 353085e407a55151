"""Five-field cron expressions in a timezone: validation and the firings inside an interval.

Modal documents neither which expressions it takes nor what it does on the days of a clock change. Inferred here:
the classic rules of cron(8); a local time that a change leaves out does not come due, one that it repeats does twice.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_NAMES = {
    "month": {
        n: i
        for i, n in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
    },
    "day of week": {n: i for i, n in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
}


class CronError(ValueError):
    """The expression or the timezone is not valid."""


def _parse_field(text: str, name: str, low: int, high: int) -> set[int]:
    def number(word: str) -> int:
        word = word.lower()
        if word in _NAMES.get(name, {}):
            return _NAMES[name][word]
        if not word.isdecimal() or not low <= int(word) <= high:
            raise CronError(f"{word!r} is not a valid {name} ({low}-{high})")
        return int(word)

    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if "/" in part and (not step.isdecimal() or int(step) == 0):
            raise CronError(f"{part!r} has an invalid step")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (number(word) for word in span.split("-", 1))
            if first > last:
                raise CronError(f"{part!r} is a backwards range")
        else:
            first = number(span)
            last = high if step else first
        values.update(range(first, last + 1, int(step or 1)))
    return values


@dataclass(frozen=True)
class Cron:
    expression: str
    timezone: str
    _sets: tuple[set[int], ...] = field(init=False, repr=False, compare=False)
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = self.expression.split()
        if len(words) != len(_FIELDS):
            raise CronError(f"expected {len(_FIELDS)} fields, got {len(words)}")
        minutes, hours, days, months, weekdays = (_parse_field(w, *f) for w, f in zip(words, _FIELDS))
        weekdays = {day % 7 for day in weekdays}  # Sunday is 0 and 7
        object.__setattr__(self, "_sets", (minutes, hours, days, months, weekdays))
        try:
            object.__setattr__(self, "_zone", ZoneInfo(self.timezone or "UTC"))
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise CronError(f"unknown timezone {self.timezone!r}") from exc

    def _matches_day(self, local: datetime) -> bool:
        _, _, days, months, weekdays = self._sets
        if local.month not in months:
            return False
        day_ok, weekday_ok = local.day in days, (local.weekday() + 1) % 7 in weekdays
        words = self.expression.split()
        if words[2] != "*" and words[4] != "*":
            return day_ok or weekday_ok  # the classic rule: either of two restricted ones will do
        return day_ok and weekday_ok

    def firings(self, start: datetime, end: datetime, limit: int = 1000) -> list[datetime]:
        """UTC instants t with start < t <= end, in order."""
        minutes, hours = self._sets[:2]
        instant = start.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        found: list[datetime] = []
        while instant <= end and len(found) < limit:
            local = instant.astimezone(self._zone)
            if local.hour in hours and self._matches_day(local):
                if local.minute in minutes:
                    found.append(instant)
                instant += timedelta(minutes=1)
            else:
                # Hours begin on a quarter of an hour of UTC, everywhere.
                instant += timedelta(minutes=15 - instant.minute % 15)
        return found

    def next_after(self, start: datetime) -> datetime | None:
        """The next firing within a year and a day."""
        found = self.firings(start, start + timedelta(days=366), limit=1)
        return found[0] if found else None
