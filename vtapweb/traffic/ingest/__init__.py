"""Samples that come in over HTTP, from agents and from other people's exporters. In front of Django: nothing here waits for its request handling."""
