"""Detects a second fire at the same local time, after the clock was set back."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app_spec import AppSpec
from run_records import Run

# How exactly the time since the first fire must match the time by which the clock was set back.
_SAME_MINUTE = timedelta(minutes=5)


def repeated(spec: AppSpec, runs: list[Run], now: datetime) -> str | None:
    """Why a fire of the schedule is skipped; None if it is not a repeated one. As in crontab(5), schedules whose hour
    begins with `*` are intervals, which don't repeat."""
    if spec.schedule.split()[1].startswith("*"):
        return None
    try:
        zone = ZoneInfo(spec.timezone)
    except ZoneInfoNotFoundError:
        # Modal has a zone that this container lacks. Firing twice is better than never.
        return None
    for run in reversed(runs):
        fired_at = run.fired_at
        if fired_at is None or not run.is_scheduled:
            continue
        set_back = _offset(fired_at, zone) - _offset(now, zone)
        if set_back > timedelta(0) and abs(now - fired_at - set_back) <= _SAME_MINUTE:
            return f"the clock in {spec.timezone} was set back, and {run.id} was fired at this time of day"
    return None


def _offset(time: datetime, zone: ZoneInfo) -> timedelta:
    return time.astimezone(zone).utcoffset() or timedelta(0)
