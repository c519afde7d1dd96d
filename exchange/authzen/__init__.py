"""The OpenID AuthZEN Authorization API 1.0: who may do what, answered by the policy in force."""
