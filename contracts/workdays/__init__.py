"""Working days: the State Council's arrangements of holidays as data, and legal terms counted with them."""
