"""Photos become crops (prepare), crops become batches (folder, stream)."""
