import tempfile
import unittest
from datetime import date
from pathlib import Path

from pantry.store import Item, load, save


class Store(unittest.TestCase):
    def test_what_is_saved_is_loaded(self):
        items = [Item("milk", "1 l", date(2024, 9, 22)), Item("salt", "500 g", None)]
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder, "pantry.txt"), items)
            self.assertEqual(load(Path(folder, "pantry.txt")), items)

    def test_no_file_is_an_empty_list(self):
        self.assertEqual(load(Path("no such file")), [])
