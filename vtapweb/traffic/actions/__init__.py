"""All writes of the traffic room, a module a topic."""
