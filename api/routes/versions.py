"""What was published, on which stage it stands, and what its gates measured."""

from api.deps import Ledger
from api.ledger import rows
from api.messages import Version
from api.routing import authorised
from api.security import Role

router = authorised(Role.viewer, "versions")

_VERSIONS = """
    select s.name as strategy, v.number, v.artifact_hash, v.stage, v.author, v.published_at, v.manifest,
           coalesce((select jsonb_agg(jsonb_build_object('gate', e.gate, 'verdict', e.verdict, 'evidence', e.evidence,
                                                         'measured_at', e.measured_at) order by e.gate)
                     from (select distinct on (gate) gate, verdict, evidence, measured_at from gate_evidence
                           where version_id = v.id order by gate, id desc) e), '[]') as gates
    from versions v join strategies s on s.id = v.strategy_id
    order by v.published_at desc, v.id desc limit 500
"""


@router.get("/versions", summary="Strategy versions and their gates")
async def versions(ledger: Ledger) -> list[Version]:
    """Newest first, each with the newest evidence of every gate that was measured."""
    return await rows(ledger, Version, _VERSIONS)
