# Made from ../_async by generate.py: change that, not this.
"""Everything that waits. The other half is made from this one."""
