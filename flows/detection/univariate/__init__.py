"""What every statistic says about one column of two samples; arrays, tables and profiles in, numbers out."""
