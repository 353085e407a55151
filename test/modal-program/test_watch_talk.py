"""watch.sh: how it sees that an agent without an exit status is done."""

import json
import subprocess

from watching import Watching


class WatchTalk(Watching):
    def test_a_conversation_that_has_settled(self) -> None:
        self.happen = lambda: self.commit("Talk")
        self.assert_end(self.watched(ends="settles"), "succeeded", None, ["Talk"])
        self.assertEqual((self.records / "output.log").read_text(), "what it said\n")

    def test_a_conversation_that_ended_with_an_error_of_the_api(self) -> None:
        def say(error: str, text: str) -> None:
            transcript = self.host_dir / "agents/agent-1/logs/claude_transcript/events.jsonl"
            transcript.parent.mkdir(parents=True, exist_ok=True)
            asked = {"type": "user", "message": {"content": "Go"}}
            said = {"type": "assistant", "error": error, "isApiErrorMessage": True}
            said["message"] = {"content": [{"type": "text", "text": text}]}
            lines = [json.dumps(asked), json.dumps(said), json.dumps({"type": "system"}), "{ cut"]
            transcript.write_text("".join(f"{line}\n" for line in lines))

        rejected = (
            "the model's API rejects its key (Invalid API key): export a valid ANTHROPIC_API_KEY or "
            "CLAUDE_CODE_OAUTH_TOKEN where you run pulumi up, and run that"
        )
        self.happen = lambda: say("authentication_failed", "Invalid\nAPI key")
        self.assert_end(self.watched(ends="settles"), "failed", rejected, [])

    def test_a_conversation_that_was_broken_off_after_a_commit(self) -> None:
        def happen() -> None:
            self.commit("Half")
            transcript = self.host_dir / "agents/agent-1/logs/claude_transcript/events.jsonl"
            transcript.parent.mkdir(parents=True, exist_ok=True)
            said = {"type": "assistant", "isApiErrorMessage": True, "message": {"content": "Overloaded"}}
            transcript.write_text(json.dumps(said))

        self.happen = happen
        ended = self.watched(ends="settles")
        self.assert_end(ended, "succeeded", None, ["Half"])
        self.assertEqual(ended["warnings"], ["it was broken off: the model's API failed: Overloaded"])

    def test_a_conversation_whose_process_ends_has_failed(self) -> None:
        idle = subprocess.Popen(["sleep", "30"])
        self.addCleanup(lambda: (idle.kill(), idle.wait()))
        (self.folder / "pane").write_text(f"0 {idle.pid}\n")
        self.happen = lambda: self.commit("Half")
        reason = "its agent's process ended, although a conversation never ends by itself"
        self.assert_end(self.watched(ends="settles", settle_seconds=30), "failed", reason, ["Half"])

    def test_a_conversation_that_waits_for_a_permission(self) -> None:
        def happen() -> None:
            for marker in ("active", "permissions_waiting"):
                (self.host_dir / "agents/agent-1" / marker).touch()

        self.happen = happen
        reason = "it was waiting for a permission that nobody could give"
        self.assert_end(self.watched(ends="settles"), "failed", reason, [])

    def test_a_conversation_is_not_over_while_it_works(self) -> None:
        self.happen = lambda: (self.host_dir / "agents/agent-1/active").touch()
        ended = self.watched(ends="settles", timeout_seconds=2)
        self.assertEqual(ended["outcome"], "timed_out")

    def test_a_conversation_is_not_over_while_mngr_starts_it(self) -> None:
        lock = self.host_dir / "host_lock"
        lock.touch()
        holder = subprocess.Popen(["flock", str(lock), "sleep", "30"])
        self.addCleanup(lambda: (holder.kill(), holder.wait()))
        self.assertEqual(self.watched(ends="settles", timeout_seconds=2)["outcome"], "timed_out")

    def test_one_that_leaves_no_status_is_over_when_its_terminal_is_idle(self) -> None:
        idle = subprocess.Popen(["sleep", "30"])
        self.addCleanup(lambda: (idle.kill(), idle.wait()))
        (self.folder / "pane").write_text(f"0 {idle.pid}\n")
        self.assert_end(self.watched(ends="exits"), "no_changes", "it made no commit", [])
