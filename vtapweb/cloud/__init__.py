"""Azure, in our words: `port` says what we ask of it, `types` what comes back, `sdk` asks azure-mgmt-network. Knows no database."""
