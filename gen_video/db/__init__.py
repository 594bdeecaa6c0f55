"""The database: engines, transactions, the clock of the database, and the change watcher."""
