"""`python -m infra.local`: the supervisor's process. `slipway up` starts it; nobody needs to by hand."""

import asyncio
import json
import traceback

from data.errors import SlipwayError
from infra.local.processes import write_private
from infra.local.site import Site
from infra.local.supervisor import Supervisor
from infra.local.tenure import failure_file, in_office, take_tenure


def main() -> int:
    site = Site()
    site.make_folders()
    with take_tenure(site) as is_ours:
        if not is_ours:  # another `slipway up` was quicker, and its supervisor will do
            return 0
        try:
            with in_office(site):
                asyncio.run(Supervisor(site).run())
        except Exception as error:  # the command that started this one waits for an explanation
            what, fix = (
                f"the supervisor ended: {type(error).__name__}: {error}",
                "See `./slipway logs supervisor`.",
            )
            if isinstance(error, SlipwayError):
                what, fix = error.what, error.fix
            write_private(failure_file(site), json.dumps({"what": what, "fix": fix}))
            traceback.print_exc()
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
