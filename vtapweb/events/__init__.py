"""The only way to tell others: events with a gap-free number, progress without one, and jobs started by name. Knows no other room."""
