"""The shortcut past alembic says what alembic says."""

from alembic.script import ScriptDirectory

from data.migrations import HERE
from infra.local.schema import newest, revisions


def test_the_newest_schema_is_the_one_that_alembic_names() -> None:
    scripts = ScriptDirectory(str(HERE))
    assert newest() == scripts.get_current_head()
    assert revisions() == {script.revision for script in scripts.walk_revisions()}
