"""Shards through datatrove: parts, readers, the scan, the reweighing, executors."""
