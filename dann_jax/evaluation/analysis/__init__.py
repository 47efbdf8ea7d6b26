"""After training: what the final networks still tell, and for whom they work.

`analyse` writes nothing and trains no network; it probes, counts and draws from what a
run has kept. Whatever does not apply to a run is left out, and `left_out` says why.
"""
