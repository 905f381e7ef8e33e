"""What assets are given: the lake. There are no IO managers; an asset reads and writes it by name."""

from dagster import ConfigurableResource

from data.storage import Storage, lake_storage


class Lake(ConfigurableResource):  # type: ignore[type-arg]
    """The lake that SLIPWAY_LAKE_URL names: the same one that the command line uses."""

    def storage(self) -> Storage:
        return lake_storage()
