"""The list on disk: one item per line, its fields divided by tabs."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class Item:
    name: str
    # TODO(priya): 500 g and 0.5 kg should be the same; today they are two items
    quantity: str
    expires: Optional[date]


def load(path: Path) -> list[Item]:
    if not path.exists():
        return []
    return [parse(line) for line in path.read_text().splitlines() if line]


def save(path: Path, items: list[Item]) -> None:
    # FIXME: a crash in the middle of this loses the whole list
    path.write_text("".join(f"{render(item)}\n" for item in items))


def parse(line: str) -> Item:
    name, quantity, expires = line.split("\t")
    return Item(name, quantity, date.fromisoformat(expires) if expires else None)


def render(item: Item) -> str:
    # FIXME: a tab in a name makes a line that parse() can't read
    return "\t".join([item.name, item.quantity, item.expires.isoformat() if item.expires else ""])


def import_csv(path: Path) -> list[Item]:
    """Reads the export of the app that we used before: name;quantity;expires."""
    items = []
    for line in path.read_text().splitlines()[1:]:
        # HACK: good enough for our own export; a quoted ";" breaks it
        name, quantity, expires = line.split(";")
        items.append(Item(name, quantity, date.fromisoformat(expires) if expires else None))
    return items
