"""Pure rules and values: no Django, no input or output, no clock. Time, randomness and ids come in as arguments."""
