import unittest
from datetime import UTC, datetime, timedelta

from modal_emulator.cron import Cron, CronError


def instants(expression: str, zone: str, start: str, end: str) -> list[str]:
    """Firings in (start, end] as "MM-DD HH:MM" of UTC."""
    found = Cron(expression, zone).firings(
        datetime.fromisoformat(start).replace(tzinfo=UTC), datetime.fromisoformat(end).replace(tzinfo=UTC)
    )
    return [f"{instant:%m-%d %H:%M}" for instant in found]


class Firings(unittest.TestCase):
    def test_an_interval_holds_its_end_and_not_its_start(self) -> None:
        self.assertEqual(
            instants("0 * * * *", "UTC", "2026-07-01T01:00", "2026-07-01T03:00"), ["07-01 02:00", "07-01 03:00"]
        )

    def test_seconds_of_the_start_do_not_lose_the_next_minute(self) -> None:
        self.assertEqual(instants("* * * * *", "UTC", "2026-07-01T01:00:59", "2026-07-01T01:01"), ["07-01 01:01"])

    def test_steps_lists_ranges_and_names(self) -> None:
        self.assertEqual(
            instants("0,30/20 9-10 * jul Mon-Tue", "UTC", "2026-07-05T00:00", "2026-07-07T09:10"),
            [
                "07-06 09:00",
                "07-06 09:30",
                "07-06 09:50",
                "07-06 10:00",
                "07-06 10:30",
                "07-06 10:50",
                "07-07 09:00",
            ],
        )

    def test_sunday_is_0_and_7(self) -> None:
        both = [instants(f"0 0 * * {day}", "UTC", "2026-07-01T00:00", "2026-07-31T00:00") for day in (0, 7)]
        self.assertEqual(both, [["07-05 00:00", "07-12 00:00", "07-19 00:00", "07-26 00:00"]] * 2)

    def test_of_two_restricted_days_either_will_do(self) -> None:
        self.assertEqual(
            instants("0 0 10 * 1", "UTC", "2026-07-07T00:00", "2026-07-14T00:00"), ["07-10 00:00", "07-13 00:00"]
        )

    def test_a_local_time_that_is_left_out_does_not_come_due(self) -> None:
        # In New York the clock goes from 2:00 to 3:00 on 8 March 2026.
        self.assertEqual(
            instants("30 2 * * *", "America/New_York", "2026-03-07T00:00", "2026-03-10T00:00"),
            ["03-07 07:30", "03-09 06:30"],
        )

    def test_a_local_time_that_is_repeated_comes_due_twice(self) -> None:
        # There it goes from 2:00 to 1:00 on 1 November 2026.
        self.assertEqual(
            instants("30 1 * * *", "America/New_York", "2026-11-01T00:00", "2026-11-02T12:00"),
            ["11-01 05:30", "11-01 06:30", "11-02 06:30"],
        )

    def test_zones_off_the_hour(self) -> None:
        self.assertEqual(
            instants("0 9 * * *", "Asia/Kathmandu", "2026-07-01T00:00", "2026-07-02T00:00"), ["07-01 03:15"]
        )

    def test_every_minute_that_matches_is_found(self) -> None:
        """Against the plain way, which looks at every minute."""
        for expression, zone in (
            ("*/7 0-4,23 * 2,11 *", "America/St_Johns"),
            ("59 23 28-31 * *", "Pacific/Chatham"),
            ("0 12 29 2 *", "Europe/Berlin"),
            ("15 */5 1,15 * 6", "Australia/Lord_Howe"),
        ):
            cron = Cron(expression, zone)
            start = datetime(2028, 2, 20, tzinfo=UTC)
            one_by_one = []
            for minute in range(1, 12 * 24 * 60 + 1):
                end = start + timedelta(minutes=minute)
                one_by_one += cron.firings(end - timedelta(minutes=1), end)
            self.assertEqual(cron.firings(start, start + timedelta(days=12), limit=10_000), one_by_one, expression)

    def test_the_next_one(self) -> None:
        after = datetime(2026, 7, 1, tzinfo=UTC)
        self.assertEqual(
            Cron("0 3 * * *", "America/Los_Angeles").next_after(after), datetime(2026, 7, 1, 10, tzinfo=UTC)
        )
        self.assertIsNone(Cron("0 0 30 2 *", "UTC").next_after(after))


class Refusals(unittest.TestCase):
    def test_each_fault_is_named(self) -> None:
        for expression, zone, fault in (
            ("0 0 * *", "UTC", "expected 5 fields, got 4"),
            ("0 25 * * *", "UTC", "'25' is not a valid hour (0-23)"),
            ("0 0 * foo *", "UTC", "'foo' is not a valid month (1-12)"),
            ("*/0 * * * *", "UTC", "'*/0' has an invalid step"),
            ("5/ * * * *", "UTC", "'5/' has an invalid step"),
            ("0 5-2 * * *", "UTC", "'5-2' is a backwards range"),
            ("0 0 * * *", "Mars/Olympus", "unknown timezone 'Mars/Olympus'"),
            ("0 0 * * *", "../etc/passwd", "unknown timezone '../etc/passwd'"),
        ):
            with self.subTest(expression=expression, zone=zone), self.assertRaises(CronError) as refused:
                Cron(expression, zone)
            self.assertEqual(str(refused.exception), fault)
