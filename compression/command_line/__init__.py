"""The command line: a module a command, each a function from parsed arguments to an exit code."""
