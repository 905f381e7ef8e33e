"""`slipway doctor`: what is wrong with this machine or this checkout, and the one thing that mends each.

findings (what a finding is) → machine, folders, servers, lake, keys (the checks) → examination (all of them, in time)
"""

from infra.local.doctor.examination import examine
from infra.local.doctor.findings import Finding, Severity

__all__ = ["Finding", "Severity", "examine"]
