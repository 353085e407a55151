"""What is still good, and for how long."""

from datetime import date

from pantry.store import Item

SOON_DAYS = 3


def days_left(item: Item, today: date) -> int:
    """Days until the item expires; negative when it has."""
    # XXX: what does it mean for things that never expire? Salt is always last this way
    if item.expires is None:
        return 9999
    return (item.expires - today).days


def soon(items: list[Item], today: date, days: int = SOON_DAYS) -> list[Item]:
    """What expires within that many days, the most urgent first."""
    good = [item for item in items if 0 <= days_left(item, today) < days]
    return sorted(good, key=lambda item: days_left(item, today))


def expired(items: list[Item], today: date) -> list[Item]:
    # FIXME: what expires today is still good today
    return [item for item in items if days_left(item, today) <= 0]
