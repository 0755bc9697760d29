"""From the stream of samples to what is known now: `manage.py meter`."""
