"""Where the client is at home in engines and frameworks of others: each file an extra, alone."""
