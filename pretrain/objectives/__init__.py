"""What pretraining can ask of the vectors, several things at once.

    ranking         the event's item above the negatives: what pretraining is for
    align_uniform   users near their items, and both spread out (DirectAU)
    kg_link         a node finds the other end of its triples
    masked_edges    the same for triples that the encoder did not see in this step
    noise_views     a user, an item is itself under noise, and no other (SimGCL)
    kg_view         an item is what its knowledge says, not what another's says (KGCL)
    user_align      a user of two domains is the same user in both
    prototypes      a user and their item belong to the same few groups, which all domains share (PEACE)

base.py says what an objective is and what it may look at, config.py has their weights and options.
"""
