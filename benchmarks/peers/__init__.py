"""What users would pick instead, on the same machine and disk in the same run."""
