"""People, roles, subscription grants, API tokens and the audit record. Everybody above asks here who is looking and what they may see."""
