"""Objections to data (数据校核) and the releases that correct it, as provider and as consumer."""
