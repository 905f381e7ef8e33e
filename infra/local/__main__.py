"""`python -m infra.local`: the supervisor's process. `slipway up` starts it; nobody needs to by hand."""

import asyncio
import json
import sys

from data.errors import SlipwayError
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
        except SlipwayError as error:
            failure_file(site).write_text(json.dumps({"what": error.what, "fix": error.fix}))
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
