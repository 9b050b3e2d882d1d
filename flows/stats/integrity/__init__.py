"""Can the comparison be trusted at all?"""
