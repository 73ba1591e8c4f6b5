"""The folder that a run writes: replaced as a whole, with tables and a manifest."""
