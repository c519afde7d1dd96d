"""The provider's side of a transfer: check the grant by itself, make the view, sign, serve."""
