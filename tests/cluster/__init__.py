"""A cluster on one machine: web nodes, workers, database, broker and object store, all killable."""
