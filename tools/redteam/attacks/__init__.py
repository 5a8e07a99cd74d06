"""One attack a file, each with an ``ATTACK``; the command finds them by themselves."""
