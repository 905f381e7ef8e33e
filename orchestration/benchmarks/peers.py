"""What is only compared with, and therefore is not in everybody's environment: fetched by infra/setup/peers.sh."""

import importlib
import sys
from typing import Any, Final

from data.errors import UsageError
from data.settings import ROOT

PEERS: Final = ROOT / ".slipway" / "tools" / "peers"


def peer(module: str, name: str, command: str) -> Any:
    """The peer's module; `command` is what fetches it."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"the peer {name} is not installed", f"Run it through the launcher: `{command}`."
        ) from None
