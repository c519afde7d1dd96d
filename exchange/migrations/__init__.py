"""The exchange's schema, one revision after another; each fits SQLite and PostgreSQL."""
