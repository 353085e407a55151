import unittest

from modal_emulator.containers.dockerfile import Copy, parse_dockerfile, parse_env, reason_to_skip


class Parsing(unittest.TestCase):
    def test_comments_continuations_and_lower_case(self) -> None:
        commands = ["FROM base", "# a note\nrun a \\\n  && b\n\nENV X=1", "COPY . /"]
        self.assertEqual(
            parse_dockerfile(commands),
            [("FROM", "base"), ("RUN", "a    && b"), ("ENV", "X=1"), ("COPY", ". /")],
        )

    def test_env_in_both_forms(self) -> None:
        known = {"PATH": "/bin"}
        self.assertEqual(parse_env("PATH=/opt:$PATH B='two words'", known), {"PATH": "/opt:/bin", "B": "two words"})
        self.assertEqual(parse_env("GREETING hello ${PATH}", known), {"GREETING": "hello /bin"})


class SkippedSteps(unittest.TestCase):
    def test_downloads_are_never_carried_out(self) -> None:
        for command in ("apt-get update", "set -e; curl -fsSL https://x | sh", "echo a | debconf-set-selections"):
            for policy in ("offline", "pip"):
                self.assertEqual(reason_to_skip(command, policy), f"installs or downloads (--run {policy})")

    def test_python_installs_are_by_choice(self) -> None:
        for command in ("python -m pip install x", "/.uv/uv pip install --python 3 x", "uv sync"):
            self.assertEqual(reason_to_skip(command, "offline"), "installs Python packages (--run offline)")
            self.assertEqual(reason_to_skip(command, "pip"), "")

    def test_all_else_is_carried_out(self) -> None:
        for command in ("mkdir -p /code && tar xzf /repo.tar.gz -C /code", "/opt/curl-like arg", "./npm.sh", "true"):
            self.assertEqual(reason_to_skip(command, "offline"), "")


class Copying(unittest.TestCase):
    FILES = ("app/main.py", "app/lib/a.py", "app/lib/b.txt", "repo.tar.gz")

    def places(self, argument: str, is_directory: bool = False, workdir: str = "/srv") -> dict[str, str]:
        copy = Copy.parse(argument, workdir)
        return {
            file: place
            for source in copy.sources
            for file, place in copy.places(source, self.FILES, copy.into_directory or is_directory)
        }

    def test_everything(self) -> None:
        self.assertEqual(self.places(". /"), {name: f"/{name}" for name in self.FILES})

    def test_a_file_under_a_new_name(self) -> None:
        self.assertEqual(self.places("repo.tar.gz /changeling/it.gz"), {"repo.tar.gz": "/changeling/it.gz"})

    def test_a_file_into_a_directory(self) -> None:
        wanted = {"repo.tar.gz": "/changeling/repo.tar.gz"}
        self.assertEqual(self.places("repo.tar.gz /changeling/"), wanted)
        self.assertEqual(self.places("repo.tar.gz /changeling", is_directory=True), wanted)

    def test_what_is_in_a_directory(self) -> None:
        self.assertEqual(
            self.places("--chown=1:1 app/lib lib"),
            {"app/lib/a.py": "/srv/lib/a.py", "app/lib/b.txt": "/srv/lib/b.txt"},
        )

    def test_patterns_and_several_sources(self) -> None:
        self.assertEqual(
            self.places("app/lib/*.py repo.tar.gz /to/"), {"app/lib/a.py": "/to/a.py", "repo.tar.gz": "/to/repo.tar.gz"}
        )

    def test_what_is_not_in_the_context(self) -> None:
        self.assertEqual(self.places("nope /"), {})

    def test_another_image(self) -> None:
        self.assertEqual(Copy.parse("--from=ghcr.io/astral-sh/uv /uv /.uv/uv", "").origin, "ghcr.io/astral-sh/uv")
