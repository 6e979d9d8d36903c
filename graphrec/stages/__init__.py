"""The stages that need no package of their own, one module each: a pure function plus a thin shell."""
