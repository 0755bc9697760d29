"""vtapweb: a dashboard for Azure virtual network TAP. The rooms and the one-way rule are in docs/architecture.md."""
