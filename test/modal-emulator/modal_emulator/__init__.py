"""An emulator of Modal for tests: its real client, and what is built on it, run against this on loopback."""
