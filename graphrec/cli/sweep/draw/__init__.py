"""How the values of a trial are drawn, when it is stopped, and which parameters matter."""
