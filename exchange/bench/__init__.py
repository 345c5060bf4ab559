"""`straddle bench`: how fast, in ratio to a peer or a limit measured in the same run."""
