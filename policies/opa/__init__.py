"""The OPA server as a policy engine: its bundles, a session that trusts nothing, and the engine itself."""
