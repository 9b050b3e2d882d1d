"""How people are asked before a challenger answers callers: what they see, how they answer, what happens then."""
