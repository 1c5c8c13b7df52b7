"""What to do about it: policy, plan, manifest, exporters, verification."""
