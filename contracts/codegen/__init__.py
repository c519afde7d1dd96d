"""What is made from a contract: pydantic models, SQL tables, a JSON Schema.

All of it is text made from an untrusted contract: names and words of the contract only ever appear in it as
quoted literals or quoted identifiers.
"""
