"""Bytes, operations and seconds of cases, from the workload, the machine and its mappings."""
