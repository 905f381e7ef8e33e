"""The `slipway` command.  One module per group of commands; their bodies are a few lines that call the rooms.

Modules import nothing heavy at their top, so that `slipway --help` answers at once.
"""

import os
import sys
import traceback

from data.errors import SlipwayError

INTERRUPTED = 130  # 128 + SIGINT, as shells count
STOPPED = "stopped by Ctrl-C. What was finished is kept; run the same command to continue."


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; every failure is a sentence and an exit code, a traceback only under --debug."""
    from typer import Abort, Exit
    from typer._click import exceptions as click  # typer carries click and exports only some of it

    from orchestration.cli.app import app

    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("SLIPWAY_DEBUG"))
    words = [word for word in words if word != "--debug"]
    try:
        code = int(app(words, prog_name="slipway", standalone_mode=False) or 0)
        sys.stdout.flush()  # here, where a reader that left is understood
        if code == INTERRUPTED:  # typer makes that of a KeyboardInterrupt
            _say(STOPPED)
    except Exit as exit_:
        return int(exit_.exit_code)
    except click.NoArgsIsHelpError as error:
        print(error.format_message())  # which is the help
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "slipway"
        _say(f"{error.format_message().rstrip('.')}. See `./{where} --help`.")
        return 2
    except (KeyboardInterrupt, Abort):
        _say(STOPPED)
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as exit_:  # how rich tells of a broken pipe
        if isinstance(exit_.__context__, BrokenPipeError):
            return _reader_left()
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explain(error)
    return code


def _explain(error: Exception) -> int:
    """Say what happened, and return the exit code that fits."""
    from orchestration.cli.failures import innermost, understood

    known = understood(error)
    if known is None:
        cause = innermost(error)
        known = SlipwayError(
            f"{type(cause).__name__}: {str(cause).rstrip('.')}",
            "This is a defect; run again with --debug and report what it shows.",
        )
    _say(str(known))
    return known.exit_code


def _reader_left() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again when it ends
    return 0


def _say(message: str) -> None:
    red, plain = (
        ("\033[31m", "\033[0m") if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    )
    print(f"{red}error:{plain} {message}", file=sys.stderr)
