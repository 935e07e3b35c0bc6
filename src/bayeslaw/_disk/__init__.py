"""What is written to disk: results, replaced atomically, and compiled code, in private."""
