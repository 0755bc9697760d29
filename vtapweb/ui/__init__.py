"""The page shell: frame, navigation, theme, status pills, import map. Pages of the rooms extend `templates/ui/base.html`."""
