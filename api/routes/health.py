"""Is the system well?  Open to load balancers and people alike."""

from fastapi import Response

from api.checks import health as check
from api.deps import House
from api.messages import Health
from api.routing import open_router

router = open_router("health")


@router.get(
    "/health", summary="Health of every part", responses={503: {"model": Health, "description": "down"}}
)
async def health(house: House, response: Response) -> Health:
    """200 while the monitor is of use (`ok`, `degraded`), 503 when it is not (`down`)."""
    found = await check(house)
    response.status_code = 503 if found.state == "down" else 200
    response.headers["Cache-Control"] = "no-store"
    return found
