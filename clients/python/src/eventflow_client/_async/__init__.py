"""Everything that waits. The other half is made from this one."""
