"""Who looks every five seconds whether all is well: reads live numbers and the inventory, judges, and keeps alarms. One process leads."""
