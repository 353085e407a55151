"""The Python that containers run on."""

import json
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

# Without an import of modal, which takes a second.
_INSPECT = (
    "import importlib.util, json, os, sys, modal_version; modal = importlib.util.find_spec('modal').origin;"
    " print(json.dumps([sys._base_executable, '%d.%d' % sys.version_info[:2], os.path.realpath(sys.base_prefix),"
    " os.path.dirname(os.path.dirname(modal)), modal_version.__version__]))"
)

# Where a container finds what belongs to it.
DEPENDENCIES = "/__modal/deps"
EXTRA_PACKAGES = "/__modal/extra"
PROGRAMS = "/__modal/bin"


@dataclass(frozen=True)
class ClientPython:
    """The interpreter that containers use, and the modal client installed for it.

    Modal runs a function with the client version that deployed it, so this should be the Python that the `modal`
    command under test runs on; the emulator itself runs on another, with the protocol of a newer client.
    """

    executable: str
    bin: Path
    series: str  # "3.12"
    prefix: Path
    site_packages: Path
    client_version: str

    @classmethod
    def inspect(cls, python: str) -> "ClientPython":
        answer = subprocess.run([python, "-c", _INSPECT], capture_output=True, text=True, check=True).stdout
        executable, series, prefix, site_packages, version = json.loads(answer)
        return cls(executable, Path(python).parent, series, Path(prefix), Path(site_packages), version)

    def binds(self) -> dict[str, Path]:
        """What a container needs of it, by path inside: a Python does not work from any place but its own."""
        binds = {
            DEPENDENCIES: self.site_packages,
            # The emulator's own packages: what images install by pip and the client lacks, such as fastapi.
            EXTRA_PACKAGES: Path(sysconfig.get_path("purelib")),
            PROGRAMS: self.bin,
        }
        if self.prefix != Path("/usr"):
            binds[str(self.prefix)] = self.prefix
        return binds
