"""The command `eventflow`: what is typed where the server is installed as a package.

It has two subcommands of its own. Others come from other packages, such as a client for the terminal, through the
group of entry points `eventflow.commands`: the name is the subcommand, the object a function that takes the words
after it and returns the exit code; the first line of its docstring says what it does (docs/adr/0039).
"""
