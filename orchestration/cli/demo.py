"""`slipway demo`: the whole product in one command."""

import typer

app = typer.Typer()


@app.command()
def demo() -> None:
    """Set up everything, take an idea from data to traded orders, prove it, and leave the system up."""
    from data.errors import SlipwayError
    from infra.local.site import Site
    from orchestration.cli.render import console
    from orchestration.demo import Demo

    outcome = Demo(Site(), console()).run()
    if not outcome.holds:
        raise SlipwayError(
            "execution did not do what research computed, or the books differ from the exchange's",
            "See the differences above, and `./slipway trade reconcile`.",
        )
