"""The parts that blocks are made of: attention of every kind, recurrences, feed-forward networks, adapters."""
