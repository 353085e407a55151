"""Builds the image of a `pinned` changeling's agents on Modal, in the same way as mngr does for each run.

Modal identifies an image by its content. So a Dockerfile that does not build fails `up`, and the first run need not build
it. The deploying machine runs this with `modal run`, in the Python environment that contains mngr. It reads these
variables:
  CHANGELING_TARBALL     path of the repository's tarball
  CHANGELING_BUILD_ARGS  JSON object: values of the Dockerfile's ARG instructions by their names
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import modal

sys.path.insert(0, str(Path(__file__).parent / "program"))

import pinned_image  # noqa: E402

app = modal.App("changelings-build")


@app.local_entrypoint()
def main() -> None:
    # mngr's version is pinned. Its own function produces the same layers, so that no run builds them again.
    from imbue.mngr.errors import MngrError
    from imbue.mngr_modal import instance
    from imbue.modal_proxy.direct import DirectModalInterface

    # A file's mode is part of the image, and the function's container has this umask.
    os.umask(0o022)
    build_args = json.loads(os.environ["CHANGELING_BUILD_ARGS"])
    with tempfile.TemporaryDirectory(prefix="changeling-image-") as folder:
        try:
            tarball = Path(os.environ["CHANGELING_TARBALL"])
            dockerfile, context = pinned_image.build_context(tarball, Path(folder) / "image")
            text = dockerfile.read_text(encoding="utf-8")
            image = instance._build_image_from_dockerfile_contents(
                text,
                modal_interface=DirectModalInterface(),
                context_dir=context,
                build_args=instance._parse_dockerfile_build_args(text, [f"{k}={v}" for k, v in build_args.items()]),
            )
        except (MngrError, pinned_image.ImageError) as error:
            sys.exit(str(error))
        try:
            image.image.build(app)
        except modal.exception.Error as error:
            sys.exit(f"Image build failed: {error}")
