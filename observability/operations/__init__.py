"""What an operator does to streams: the commands, transfer, verification, simulations."""
