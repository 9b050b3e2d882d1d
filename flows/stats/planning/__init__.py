"""Before an experiment: how many labels it needs, how long to wait, what it could see."""
