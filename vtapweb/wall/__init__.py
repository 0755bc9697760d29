"""Displays: which screens there are, what each of them shows and when, and how they get in. Draws what topology and traffic know."""
