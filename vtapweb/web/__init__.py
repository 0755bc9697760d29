"""What HTTP edges share: problems, paging, CSV, table and filter parsing. Knows no model and no room above."""
