"""Events that a group gave up on: moved out, reported, sent again, resolved, discarded."""
