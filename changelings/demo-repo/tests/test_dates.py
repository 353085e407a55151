import unittest
from datetime import date

from pantry.dates import days_left, soon
from pantry.store import Item

TODAY = date(2024, 9, 20)
MILK = Item("milk", "1 l", date(2024, 9, 22))
RICE = Item("rice", "1 kg", date(2025, 3, 1))
SALT = Item("salt", "500 g", None)


class Dates(unittest.TestCase):
    def test_days_left(self):
        self.assertEqual(days_left(MILK, TODAY), 2)

    def test_soon_leaves_out_what_keeps(self):
        self.assertTrue([item.name for item in soon([RICE, SALT, MILK], TODAY)], ["milk"])

    # TODO: test what expires today, and what expired yesterday
