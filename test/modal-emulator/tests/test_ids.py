import base64
import json
import re
import time
import unittest

from modal_emulator.ids import content_id, fake_jwt, new_id


class Ids(unittest.TestCase):
    def test_have_the_shape_that_the_client_knows(self) -> None:
        for id in (new_id("ap"), content_id("ap", b"x")):
            self.assertRegex(id, re.compile(r"^ap-[a-zA-Z0-9]{22}$"))

    def test_of_content_are_equal_for_equal_content_alone(self) -> None:
        self.assertEqual(content_id("im", b"x"), content_id("im", b"x"))
        self.assertNotEqual(content_id("im", b"x"), content_id("im", b"y"))

    def test_tokens_have_not_expired(self) -> None:
        claims = json.loads(base64.urlsafe_b64decode(fake_jwt(task_id="ta-1").split(".")[1] + "=="))
        self.assertEqual(claims["task_id"], "ta-1")
        self.assertGreater(claims["exp"], time.time() + 3600)
