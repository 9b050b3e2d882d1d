"""Is the champion worse than when it was trained; and how good is it where labels are missing?"""
