"""Numbers that we ask for, of collectors that send none: Azure Monitor, and a Prometheus that is there already."""
