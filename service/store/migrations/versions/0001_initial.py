"""Users, tokens, activity, extensions, and the views that Asterisk reads."""

from service.store.migrations import script

revision = "0001"
down_revision = None


def upgrade() -> None:
    script.run("0001_initial.sql")
