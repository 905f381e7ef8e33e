"""Arguments that several commands of `slipway data` take."""

from datetime import date, datetime
from typing import Annotated

import typer

DATE_FORMATS = ["%Y-%m-%d"]

Start = Annotated[
    datetime | None, typer.Option(formats=DATE_FORMATS, help="The first session, like 2026-09-28.")
]
End = Annotated[
    datetime | None, typer.Option(formats=DATE_FORMATS, help="The last session, like 2026-09-30.")
]
SourceName = Annotated[str, typer.Option(help="Whose bars.")]
Timeframe = Annotated[str, typer.Option(help="1m, 5m, 15m, 30m, 1h or 1d.")]
AsOf = Annotated[int | None, typer.Option(help="Read the catalog as it was in this snapshot.")]


def day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
