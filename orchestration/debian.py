"""What only a measurement or a test needs, installed where we may: as root on a Debian."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence


def install(packages: Sequence[str], purpose: str) -> None:
    """Try; whoever needs them looks again, and says what is missing."""
    if not packages or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print(f"▸ installing {' and '.join(packages)} for {purpose} …", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)
