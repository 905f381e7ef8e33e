"""What may not be put together: prices that nobody trades at and a real market; what is on trial and real money."""

from typing import Final

from data.errors import Refused
from execution.deployments import FromRegistry, StrategySource
from execution.markets import Live, Replay
from execution.settings import BrokerName

_PROMOTED: Final = FromRegistry("live")


def strategies_for(
    broker: BrokerName, market: Replay | Live, wished: StrategySource | None
) -> StrategySource:
    """What trades at this broker: what was wished for, or every version on the broker's stage."""
    if broker != "sim" and isinstance(market, Replay):
        raise Refused(
            f"recorded sessions are replayed at the exchange simulator only, and SLIPWAY_BROKER is {broker}",
            "Unset SLIPWAY_BROKER, or trade a live feed: a real market does not move with a replay.",
        )
    if broker != "sim" and isinstance(market, Live) and market.vendor == "synthetic":
        raise Refused(
            f"the synthetic market is made up, and SLIPWAY_BROKER is {broker}",
            "Unset SLIPWAY_BROKER, or trade the feed of a real market.",
        )
    if broker != "alpaca-live":
        return wished or FromRegistry("paper")
    if wished not in (None, _PROMOTED):
        raise Refused(
            "real money is traded by what was promoted to live, and by nothing else",
            "Promote it: `./slipway promote STRATEGY --to live`.",
        )
    return _PROMOTED
