"""Who is in the alliance: invite, join, approve, suspend, revoke, and the signed directory."""
