"""What collectors really receive: samples in, rates, history, health and alarms. Knows inventory, knows nothing of changes."""
