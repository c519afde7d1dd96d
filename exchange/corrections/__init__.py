"""Objections to released data and the corrections that answer them (数据校核), under the legal clock."""
