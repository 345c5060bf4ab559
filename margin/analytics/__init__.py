"""Float advice: Black-76 and Greeks, the SVI fit, the option chain that ships with the package.

Holds: what leaves here for the engine is rounded to integers first.
Never: is imported by the engine's side.
"""
