"""One module per noun; each has a `router` made for a role.  ROUTERS is the whole HTTP API."""

from fastapi import APIRouter

from api.routes import (
    accounts,
    auth,
    candles,
    controls,
    equity,
    fills,
    health,
    orders,
    positions,
    runs,
    versions,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    auth.open_router,
    auth.router,
    accounts.router,
    positions.router,
    orders.router,
    fills.router,
    equity.router,
    runs.router,
    versions.router,
    candles.router,
    controls.router,
    controls.trader_router,
)
