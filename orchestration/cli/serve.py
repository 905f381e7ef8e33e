"""`slipway serve`: the monitor's API and page in the foreground."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; SLIPWAY_API_PORT when not given.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address; SLIPWAY_API_HOST when not given.")] = None,
) -> None:
    """Run the trade monitor here, until Ctrl-C."""
    from api.__main__ import run

    run(host, port)
