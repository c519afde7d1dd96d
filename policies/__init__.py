"""Permission: Rego rules, the question they answer, and engines that fail closed."""
