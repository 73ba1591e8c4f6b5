"""Static timing analysis: ours, and OpenSTA's for comparison."""
