"""python3 -m pantry"""

import argparse
from datetime import date
from pathlib import Path

from pantry import dates, store

FILE = Path("pantry.txt")


def add(arguments: argparse.Namespace) -> int:
    items = store.load(FILE)
    expires = date.fromisoformat(arguments.expires) if arguments.expires else None
    store.save(FILE, [*items, store.Item(arguments.name, arguments.quantity, expires)])
    return 0


def show(items: list[store.Item]) -> int:
    for item in items:
        # TODO: line the columns up
        print(item.name, item.quantity, item.expires or "-")
    return 0


def use(arguments: argparse.Namespace) -> int:
    items = store.load(FILE)
    # FIXME: takes all items of that name off the list, not the oldest one
    store.save(FILE, [item for item in items if item.name != arguments.name])
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="pantry")
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add")
    adding.add_argument("name")
    adding.add_argument("--quantity", default="1")
    adding.add_argument("--expires", help="YYYY-MM-DD")
    commands.add_parser("list")
    commands.add_parser("soon")
    using = commands.add_parser("use")
    using.add_argument("name")
    arguments = parser.parse_args()
    if arguments.command == "add":
        return add(arguments)
    if arguments.command == "use":
        return use(arguments)
    items = store.load(FILE)
    return show(items if arguments.command == "list" else dates.soon(items, date.today()))
