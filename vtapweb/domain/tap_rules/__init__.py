"""May this NIC be mirrored to that TAP, and why (not)? Facts in, findings out; nothing here asks a database, a clock or Azure."""
