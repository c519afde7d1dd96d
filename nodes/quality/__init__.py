"""Quality findings: examined and kept at the provider, and examined again at whoever received the rows."""
