"""The Rego that a policy may use: what every engine of ours evaluates alike, and within bounds."""
