"""What runs on a collector: `vtap_agent.py`, one file to copy there. Stands apart: imports nothing of vtapweb, and nobody imports it."""
