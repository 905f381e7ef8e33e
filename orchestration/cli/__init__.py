"""The `slipway` command.  One module per group of commands; their bodies are a few lines that call the rooms.

Modules import nothing heavy at their top, so that `slipway --help` answers at once.
"""

import os
import sys
import traceback

from data.errors import SlipwayError


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; every failure is a sentence and an exit code, a traceback only under --debug."""
    from typer import Abort, Exit
    from typer._click.exceptions import ClickException  # typer carries click and exports only some of it

    from orchestration.cli.app import app

    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("SLIPWAY_DEBUG"))
    words = [word for word in words if word != "--debug"]
    try:
        return int(app(words, prog_name="slipway", standalone_mode=False) or 0)
    except Exit as exit_:
        return int(exit_.exit_code)
    except ClickException as error:
        _say(f"{error.format_message().rstrip('.')}. See `./slipway --help`.")
        return 2
    except SlipwayError as error:
        if debug:
            traceback.print_exc()
        _say(str(error))
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        _say("stopped by Ctrl-C. What was finished is kept; run the same command to continue.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: not our failure
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        _say(
            f"{type(error).__name__}: {error}. This is a defect; run again with --debug and report what it shows."
        )
        return 1


def _say(message: str) -> None:
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"{red}error:{plain} {message}", file=sys.stderr)
