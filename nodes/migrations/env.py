"""Run the node's revisions on the connection that ``audit.database.upgrade`` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
