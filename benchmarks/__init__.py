"""Speed and scale, measured; not a part of the installed package."""
