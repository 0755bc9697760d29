"""The pages of the taps room."""
