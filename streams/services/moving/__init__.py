"""Moving a stream to another engine while it is used.

`plan` says what would change and what stands in the way, `asking` begins and ends moves, `steps` carries them out, and
`leftovers` lets go of what retention has emptied.
"""
