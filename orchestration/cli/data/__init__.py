"""`slipway data`: market data in (incoming), looked at (looking), and kept in order (keeping)."""

import typer

from orchestration.cli.data import incoming, keeping, looking

app = typer.Typer(no_args_is_help=True)
for module in (incoming, looking, keeping):
    app.add_typer(module.app)
